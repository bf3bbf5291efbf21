"""A finished run on synthetic predictions, as the jobs that write CSV files and pages see it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from circumplex.faces.table import face_schema
from circumplex.io.parquet import TableWriter
from circumplex.media.timeline import extract_frames, write_timeline
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.outputs import PLAYER, make_player, write_predictions
from circumplex.pipeline.requests import PlayerRequest, PredictionFilesRequest
from circumplex.pipeline.store import Entry, Status, write_index
from circumplex.predictions.ensembles import mean_prediction
from circumplex.predictions.table import PredictionWriter
from running_jobs import running_job

SHARD = "000-of-001.json"
NO_FACES: Mapping[str, list[Path]] = {"align_faces": [], "fill_frames": []}
RUNS = ("a/official/seed0", "a/official/seed1", "b/official/seed0")


@dataclass
class ShownSample:
    """A sample with its members' predictions, (members, frames, 2)."""

    time_s: np.ndarray
    members: np.ndarray
    valid: np.ndarray
    probability: np.ndarray
    video: Path | None
    filled: bool = True


@dataclass
class ShownRun:
    """Writes the files of a run, and runs the jobs on them."""

    results: Path
    samples: dict[str, ShownSample] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    ensembles: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"main": RUNS})
    models: list[dict[str, str]] = field(default_factory=list)
    random_weights: dict[str, str] = field(default_factory=dict)
    proxies: dict[str, Entry] = field(default_factory=dict)
    looks_for_faces: bool = True
    seed: int = 1

    def add(
        self,
        name: str,
        frames: int = 200,
        *,
        fps: float = 25.0,
        video: Path | None = None,
        unseen: Sequence[tuple[int, int]] = (),
        filled: bool = True,
    ) -> ShownSample:
        """Add a sample whose predictions wander; from one frame to another no face is seen."""
        rng = np.random.default_rng([self.seed, len(self.samples)])
        time_s = np.arange(frames) / fps
        phase, speed = rng.uniform(0, 6, 2), rng.uniform(0.2, 1.2, 2)
        middle = rng.uniform(-0.4, 0.4, 2)
        truth = middle + rng.uniform(0.1, 0.5) * np.sin(time_s[:, None] * speed + phase)
        wander = np.cumsum(rng.standard_normal((len(RUNS), frames, 2)), axis=1) * 0.01
        valid = np.ones(frames, bool)
        for start, end in unseen:
            valid[start:end] = False
        sample = ShownSample(
            time_s,
            np.clip(truth + wander, -1, 1).astype(np.float32),
            valid,
            np.where(valid, rng.uniform(0.9, 1, frames), np.nan).astype(np.float32),
            video,
            filled,
        )
        self.samples[name] = sample
        return sample

    def prediction(self, name: str) -> np.ndarray:
        """Mean of the members, (frames, 2)."""
        return mean_prediction(list(self.samples[name].members))

    def write_predictions(self) -> Path:
        """Run the job; returns the summary."""
        job = self._job("write_predictions", PredictionFilesRequest, "summary", "summary.csv")
        write_predictions(job)
        return job.output("summary")

    def make_player(self) -> Path:
        """Run the job; returns the page that lists all samples."""
        videos = {
            name: os.path.relpath(sample.video, self.results / PLAYER)
            for name, sample in self.samples.items()
            if sample.video is not None
        }
        job = self._job(
            "make_player", PlayerRequest, "page", "player.html", videos=videos, sources=[]
        )
        make_player(job)
        return job.output("page")

    def _job(self, stage: str, kind: Any, output: str, file: str, **more: Any) -> RunningJob:
        members = {
            name: {target: list(runs) for target in ("valence", "arousal")}
            for name, runs in self.ensembles.items()
        }
        request = kind(
            stage=stage,
            code="code",
            samples=[*self.samples, *self.failures],
            ensembles=members,
            notes=["Ensemble main (mean): 3 models."],
            random_weights=self.random_weights,
            **more,
        )
        outputs = {"manifest": self.results / f"{stage}.json", output: self.results / file}
        return running_job(self.results, request, self._inputs(), outputs)

    def _inputs(self) -> Mapping[str, list[Path]]:
        used = [run for run in RUNS if any(run in runs for runs in self.ensembles.values())]
        members = [
            self._predictions(
                f"member{RUNS.index(run)}",
                {name: s.members[RUNS.index(run)] for name, s in self.samples.items()},
            )
            for run in used
        ]
        means = {name: self.prediction(name) for name in self.samples}
        failures = self.results / "list_failures.tsv"
        rows = [f"{name}\textract_frames\t{reason}\n" for name, reason in self.failures.items()]
        failures.write_text("sample\tstage\treason\n" + "".join(rows), encoding="utf-8")
        return {
            "ensembles": [self._predictions(f"of {name}", means) for name in self.ensembles],
            "members": members,
            **(self._face_indexes() if self.looks_for_faces else NO_FACES),
            "extract_frames": [self._index("extract_frames", self._write_timeline)],
            "make_proxy": [self._proxy_index()] if self.proxies else [],
            "failures": [failures],
        }

    def _face_indexes(self) -> dict[str, list[Path]]:
        return {
            "align_faces": [self._index("align_faces", self._write_faces)],
            "fill_frames": [self._index("fill_frames", self._write_fill)],
        }

    def _predictions(self, name: str, values: Mapping[str, np.ndarray]) -> Path:
        path = self.results / f"tables/{name}.parquet"
        with PredictionWriter(path, {"models": self.models}) as table:
            for sample, predicted in values.items():
                table.write(sample, self.samples[sample].time_s, predicted)
        return path

    def _index(self, stage: str, write: Any) -> Path:
        entries = {}
        for number, (name, sample) in enumerate(self.samples.items()):
            file = f"store/{stage}/{number}.parquet"
            made = write(sample, self.results / file)
            entries[name] = Entry(Status.OK, file) if made else Entry(Status.ABSENT, reason="none")
        path = self.results / "index" / stage / SHARD
        write_index(path, entries)
        return path

    def _proxy_index(self) -> Path:
        path = self.results / "index/make_proxy" / SHARD
        write_index(path, self.proxies)
        return path

    def _write_faces(self, sample: ShownSample, path: Path) -> bool:
        frames = len(sample.time_s)
        nothing = [None] * frames
        with TableWriter(path, face_schema(), {}) as table:
            table.write(
                frame=np.arange(frames, dtype=np.int32),
                time_s=sample.time_s,
                valid=sample.valid,
                probability=[None if p != p else p for p in sample.probability.tolist()],
                box=nothing,
                landmarks=nothing,
                subject_switch=[False] * frames,
                interpolated=[False] * frames,
                detections=[[]] * frames,
                crop=nothing,
            )
        return True

    def _write_fill(self, sample: ShownSample, path: Path) -> bool:
        if sample.filled:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return sample.filled

    def _write_timeline(self, sample: ShownSample, path: Path) -> bool:
        if sample.video is not None and sample.video.is_file():
            extract_frames(sample.video, path, {})
        else:
            write_timeline(len(sample.time_s), path, fps=25, metadata={})
        return True

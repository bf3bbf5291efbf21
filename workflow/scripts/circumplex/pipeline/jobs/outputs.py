"""The jobs that write predictions for people: CSV files and player pages."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from circumplex.io.atomic import write_json, write_text
from circumplex.io.kept_folder import KeptFolder
from circumplex.io.parquet import read_metadata
from circumplex.media.playback import PLAYS
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.results import read_failures
from circumplex.pipeline.requests import PlayerRequest, PredictionFilesRequest
from circumplex.pipeline.store import Entry, ok_files, read_index
from circumplex.predictions.table import PredictionTable
from circumplex.report.file_names import file_names
from circumplex.report.frame_predictions import (
    Faces,
    FramePredictions,
    read_faces,
    read_predictions,
)
from circumplex.report.player.pages import (
    Listed,
    PlayedSample,
    PlayedTrace,
    PlayerPages,
    Video,
    small_traces,
)
from circumplex.report.prediction_csv import SummaryRow, frame_csv, write_summary
from circumplex.report.summaries import summarise
from circumplex.targets import Target

PREDICTIONS = "predictions"
PLAYER = "player"
VIDEOS = "videos"
TITLE = "Valence and arousal of your videos"


@dataclass(frozen=True)
class ShownSamples:
    """What a job shows of its samples."""

    job: RunningJob

    @property
    def request(self) -> PredictionFilesRequest:
        """What the job is asked for."""
        request: PredictionFilesRequest = self.job.request
        return request

    @cached_property
    def ensembles(self) -> Mapping[str, PredictionTable]:
        """Predictions by ensemble."""
        tables = map(PredictionTable, self.job.inputs["ensembles"])
        return dict(zip(self.request.ensembles, tables, strict=True))

    @cached_property
    def _members(self) -> Mapping[str, PredictionTable]:
        """Smoothed predictions by run."""
        ensembles = self.request.ensembles.values()
        runs = dict.fromkeys(run for of in ensembles for target in Target for run in of[target])
        tables = map(PredictionTable, self.job.inputs["members"])
        return dict(zip(runs, tables, strict=True))

    @cached_property
    def _problems(self) -> Mapping[str, str]:
        """Why samples failed."""
        problems: dict[str, list[str]] = defaultdict(list)
        for row in read_failures(self.job.input("failures")):
            problems[row["sample"]].append(f"{row['stage']}: {row['reason']}")
        return {sample: "; ".join(reasons) for sample, reasons in problems.items()}

    @cached_property
    def _faces(self) -> Mapping[str, Path]:
        return ok_files(self.job.inputs["align_faces"], self.job.results)

    @cached_property
    def _filled(self) -> Mapping[str, Path]:
        return ok_files(self.job.inputs["fill_frames"], self.job.results)

    @cached_property
    def notes(self) -> Sequence[str]:
        """What the predictions are made with, in phrases; of pretrained models, their notices."""
        models = [
            m for p in self.job.inputs["ensembles"] for m in read_metadata(p).get("models", [])
        ]
        return [*dict.fromkeys(model["notice"] for model in models), *self.request.notes]

    def predictions(self, sample: str, ensemble: str) -> FramePredictions | None:
        """Predictions of a sample by an ensemble; none if it did not predict it."""
        table = self.ensembles[ensemble]
        if sample not in table:
            return None
        runs = self.request.ensembles[ensemble]
        members = {target: [self._members[run] for run in runs[target]] for target in Target}
        return read_predictions(sample, table, members)

    def faces(self, sample: str, predictions: FramePredictions) -> Faces | None:
        """Faces of a sample; none if the run looks for no faces."""
        if not self.job.inputs["align_faces"]:
            return None
        table, filled = self._faces.get(sample), sample in self._filled
        return read_faces(table, predictions.time_s, filled=filled)

    def problem(self, sample: str) -> str:
        """Why a sample was not predicted."""
        return self._problems.get(
            sample, "not predicted: it lacks features that the models ask for, or trained them"
        )


def write_predictions(job: RunningJob) -> None:
    """Write a CSV file of each sample's frames, and the summary.

    With several ensembles, each has a folder of its own.
    """
    shown = ShownSamples(job)
    rows: list[SummaryRow] = []
    with KeptFolder(job.results / PREDICTIONS) as folder:
        names = file_names(shown.request.samples)
        for ensemble in shown.ensembles:
            place = f"{ensemble}/" if len(shown.ensembles) > 1 else ""
            for sample, name in names.items():
                predictions = shown.predictions(sample, ensemble)
                if predictions is None:
                    rows.append(SummaryRow(sample, ensemble, problem=shown.problem(sample)))
                    continue
                faces = shown.faces(sample, predictions)
                file = f"{place}{name}.csv"
                folder.write(file, frame_csv(predictions, faces))
                rows.append(
                    SummaryRow(
                        sample,
                        ensemble,
                        summarise(predictions),
                        None if faces is None else faces.seen_share,
                        file=f"{PREDICTIONS}/{file}",
                    )
                )
    notes = [*describe_random(shown.request.random_weights), *shown.notes]
    write_summary(job.output("summary"), rows, notes)
    write_json(job.output("manifest"), describe_folder(PREDICTIONS, folder))


def make_player(job: RunningJob) -> None:
    """Write a player page for each sample that was predicted, and the page that lists all.

    Samples without predictions stand first in the list.
    """
    shown, videos = ShownSamples(job), PlayedVideos(job)
    request: PlayerRequest = job.request
    pages = PlayerPages(TITLE, shown.notes, describe_random(request.random_weights))
    names = file_names(request.samples)
    predicted = [
        sample for sample in names if any(sample in table for table in shown.ensembles.values())
    ]
    index = f"../{job.output('page').name}"
    listed = {s: Listed(s, problem=shown.problem(s)) for s in names if s not in predicted}
    with KeptFolder(job.results / PLAYER) as folder:
        for place, sample in enumerate(predicted):
            traces = list(played_traces(shown, sample))
            first = traces[0]
            faces = shown.faces(sample, first.predictions)
            name = names[sample]
            if proxy := videos.proxies.get(sample):
                folder.place(f"{VIDEOS}/{name}.mp4", proxy)
            video = videos.video(sample, f"{VIDEOS}/{name}.mp4")
            before, after = (
                names[predicted[k]] if 0 <= k < len(predicted) else ""
                for k in (place - 1, place + 1)
            )
            played = PlayedSample(sample, name, traces, faces, video)
            folder.write(f"{name}.html", pages.page(played, index, before, after))
            listed[sample] = Listed(
                sample,
                f"{PLAYER}/{name}.html",
                first.summary,
                None if faces is None else faces.seen_share,
                sparks=small_traces(first.predictions),
            )
    write_text(job.output("page"), pages.list_page(list(listed.values())))
    write_json(job.output("manifest"), describe_folder(PLAYER, folder))


def describe_folder(name: str, folder: KeptFolder) -> dict[str, Any]:
    """The manifest of a folder that people may put files into; see `records.altered_files`."""
    return {
        "folder": name,
        "files": folder.digests,
        "large_files": folder.sizes,
        "shared": True,
    }


def played_traces(shown: ShownSamples, sample: str) -> Iterator[PlayedTrace]:
    """Predictions of a sample by each ensemble that predicted it."""
    for ensemble in shown.ensembles:
        predictions = shown.predictions(sample, ensemble)
        if predictions is not None:
            yield PlayedTrace(ensemble, predictions, summarise(predictions))


@dataclass(frozen=True)
class PlayedVideos:
    """The media files that the pages of a job play."""

    job: RunningJob

    @cached_property
    def proxies(self) -> Mapping[str, Path]:
        """Small copies by sample."""
        return ok_files(self.job.inputs["make_proxy"], self.job.results)

    @cached_property
    def _timelines(self) -> Mapping[str, Path]:
        return ok_files(self.job.inputs["extract_frames"], self.job.results)

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        indexes = self.job.inputs["make_proxy"]
        return {name: entry for index in indexes for name, entry in read_index(index).items()}

    def video(self, sample: str, copy: str) -> Video | None:
        """What the sample's page plays; none if the sheet names no file.

        Args:
            sample: name of the sample.
            copy: address of its small copy, if it has one.
        """
        request: PlayerRequest = self.job.request
        original = request.videos.get(sample)
        if original is None:
            return None
        origin = os.path.normpath(Path.cwd() / self.job.results / PLAYER / original)
        facts = read_metadata(self._timelines[sample]).get("video", {})
        if sample in self.proxies:
            return Video(quote(copy), origin, proxy=True, with_picture=bool(facts))
        entry = self._entries.get(sample)
        return Video(
            quote(original),
            origin,
            start_s=facts.get("video_start_s", 0.0) - facts.get("container_start_s", 0.0),
            obstacle="" if entry is None or entry.reason == PLAYS else entry.reason,
            with_picture=bool(facts),
        )


def describe_random(weights: Mapping[str, str]) -> Sequence[str]:
    """A warning where features have random weights; nothing where none has."""
    if not weights:
        return []
    named = ", ".join(f"{feature} ({choice})" for feature, choice in weights.items())
    return [
        f"Made with seeded random weights for: {named}. "
        "These predictions say nothing about the people in the videos."
    ]

"""Kinds of files that strangers hand over: valid seeds, damage, and the code that reads them.

A kind of per-sample files runs its stages on a shard of two samples, ``bad`` and ``good``, by the
rules' own scripts: the bad file may fail its own sample only. A kind of requests is read as a run
reads it: accepted, or refused with a `RequestError`.
"""

import json
import os
import runpy
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image

from circumplex.io.yaml_files import read_small_yaml
from circumplex.media.timeline import write_timeline
from circumplex.model.checkpoints import load_model
from circumplex.networks.weights import Weights, load_into
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.exports import write_export
from circumplex.pipeline.graph import Graph
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.records import Job
from circumplex.pipeline.requests import ShardRequest
from circumplex.pipeline.store import Entry, Status, read_index, write_index
from clips import Sound, write_video
from example_requests import (
    builder_of,
    config_of,
    jobs_of,
    overlay,
    request_config,
    write_sheet,
)
from fuzz.mutations import damage_bytes, damage_text, damage_value
from places import ROOT
from waves import sound, write_wave

SCRIPTS = ROOT / "workflow" / "scripts"
SHARD = "000-of-001"
FRAMES = 40
SECRET = b"the content of a file that no input may reveal 5e1f"


class Kind(ABC):
    """A kind of input.

    Attributes:
        name: of the kind.
        time_limit_s: for one input.
    """

    name: ClassVar[str]
    time_limit_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path) -> None:
        """Write the seeds into a folder."""
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        self.secret = self.folder / "secret"
        self.secret.write_bytes(SECRET * 40)
        self.seeds = self.make_seeds()

    @abstractmethod
    def make_seeds(self) -> Sequence[Path]:
        """Write valid files."""

    @abstractmethod
    def write_bad(self, rng: Random, work: Path) -> Path:
        """Write a damaged file into a folder."""

    @abstractmethod
    def consume(self, bad: Path, work: Path) -> str:
        """Read the file as a run does; runs in a process of its own.

        Returns:
            ``accepted``, or the reason why it was refused.
        """

    def find_faults(self, work: Path) -> list[str]:  # noqa: ARG002 - a hook of kinds of samples
        """What is wrong with the results that are left."""
        return []


class SampleKind(Kind):
    """A kind of per-sample files: its stages run on a shard with a bad and a good sample."""

    @abstractmethod
    def run_stages(self, bad: Path, results: Path) -> None:
        """Run the stages that read the file, and write their indexes into the results."""

    @abstractmethod
    def good_file(self) -> Path:
        """The file of the good sample."""

    def consume(self, bad: Path, work: Path) -> str:
        """See `Kind.consume`."""
        self.run_stages(bad, work / "results")
        entries = [entries["bad"] for entries in read_indexes(work).values()]
        reasons = [entry.reason for entry in entries if entry.status is Status.FAILED]
        return reasons[0] if reasons else "accepted"

    @property
    @cache  # noqa: B019 - kinds live as long as the process
    def expected(self) -> Mapping[str, str]:
        """Digest by stage of the good sample's results beside a good one."""
        work = self.folder / "expected"
        self.run_stages(self.good_file(), work / "results")
        digests = good_digests(work)
        assert all(digests.values()), f"a good file of kind {self.name} fails: {read_indexes(work)}"
        return digests

    def find_faults(self, work: Path) -> list[str]:
        """See `Kind.find_faults`."""
        faults = []
        if good_digests(work) != self.expected:
            faults.append("lost: the good sample's results are missing or differ")
        for path in (work / "results").rglob("*"):
            if path.is_file() and SECRET in path.read_bytes():
                faults.append(f"leak: {path.relative_to(work)} has the content of another file")
        return faults


def read_indexes(work: Path) -> dict[str, dict[str, Entry]]:
    """Entries by stage of all indexes that a shard's stages wrote."""
    paths = sorted((work / "results" / "index").glob(f"*/{SHARD}.json"))
    return {path.parent.name: read_index(path) for path in paths}


def good_digests(work: Path) -> dict[str, str]:
    """Digest by stage of the good sample's results."""
    entries = {stage: entries.get("good") for stage, entries in read_indexes(work).items()}
    return {stage: entry.sha256 if entry else "" for stage, entry in entries.items()}


def run_stage(
    results: Path,
    stage: str,
    script: Callable[[ShardJob], None],
    *,
    sheet: Path | None = None,
    before: Sequence[str] = (),
    suffix: str = ".parquet",
    options: Mapping[str, Any] | None = None,
    **request: str,
) -> None:
    """Run a stage's script on the samples ``bad`` and ``good``, as its rule does."""
    keys = {name: {"file": name} for name in ("bad", "good")}
    asked = ShardRequest(stage, "code", options or {}, keys, **request)
    indexes = {name: (f"index/{name}/{SHARD}.json",) for name in before}
    output = f"index/{stage}/{SHARD}.json"
    job = RunningJob(
        Job(SHARD, asked, indexes, (output,)),
        results,
        {name: [results / path for path in paths] for name, paths in indexes.items()}
        | ({"sheet": [sheet]} if sheet else {}),
        {"index": [results / output]},
        threads=1,
        resources={},
    )
    script(ShardJob.of(job, suffix=suffix))


@cache
def stage_options(stage: str) -> Mapping[str, Any]:
    """Options of a stage of per-sample files, as a run of the shipped config has them."""
    with tempfile.TemporaryDirectory() as folder:
        builder = builder_of(request_config(Path(folder)), Path(folder))
        return builder.options(builder.stages[stage])


@cache
def script_of(name: str) -> Callable[[ShardJob], None]:
    """The function ``main`` of a rule's script."""
    main: Callable[[ShardJob], None] = runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"]
    return main


def write_rows(folder: Path, column: str, bad: Path, good: Path) -> Path:
    """Write a sheet in which a column names a file of each sample."""
    rows = [
        {"sample": name, "video": str(good), column: str(path), "split": "predict"}
        for name, path in (("bad", bad), ("good", good))
    ]
    return write_sheet(folder / "samples.tsv", rows)


def write_timelines(results: Path, frames: int = FRAMES) -> None:
    """Write tables of frames of both samples, as the stage before would have."""
    entries = {}
    for name in ("bad", "good"):
        place = f"extract_frames/{name}.parquet"
        write_timeline(frames, results / place, fps=25.0, metadata={})
        entries[name] = Entry(Status.OK, place, "0", "extract_frames")
    write_index(results / "index" / "extract_frames" / f"{SHARD}.json", entries)


class Media(SampleKind):
    """Videos and sounds, and playlists that name another file."""

    name = "media"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        forms = {
            "a.mp4": ("mpeg4", Sound(), {}),
            "b.mp4": ("libx264", Sound(rate=48_000), {"options": {"bf": "2"}}),
            "c.mkv": ("mpeg4", Sound("flac"), {}),
            "d.avi": ("mpeg4", Sound("mp2"), {}),
            "e.mov": ("mjpeg", Sound("pcm_s16le"), {"pixels": "yuvj420p"}),
            "f.ts": ("libx264", Sound("ac3", 48_000), {}),
            "g.webm": ("libvpx", Sound("libopus", 48_000), {}),
        }
        seeds = [
            write_video(
                self.folder / name,
                codec,
                frames=FRAMES,
                sound=sound,
                clicks_s=(0.2, 0.9),
                **options,
            )
            for name, (codec, sound, options) in forms.items()
        ]
        return [*seeds, write_wave(self.folder / "h.wav", sound(1.0))]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        if rng.random() < 0.05:
            return self._write_reference(rng, work)
        seed = rng.choice(self.seeds)
        bad = work / f"bad{seed.suffix}"
        bad.write_bytes(damage_bytes(rng, seed.read_bytes()))
        return bad

    def _write_reference(self, rng: Random, work: Path) -> Path:
        """A text that makes a player open the file that it names."""
        other = self.seeds[0]
        texts = {
            "bad.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
            "bad.ffconcat": f"ffconcat version 1.0\nfile '{other}'\n",
            "bad.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
        }
        name = rng.choice(sorted(texts))
        bad = work / rng.choice((name, "bad.mp4"))
        bad.write_text(texts[name])
        return bad

    def consume(self, bad: Path, work: Path) -> str:
        """See `Kind.consume`."""
        said = super().consume(bad, work)
        if said == "accepted" and self.seeds[0].name.encode() in bad.read_bytes():
            return "FOLLOWED: another file was decoded"
        return said

    def good_file(self) -> Path:
        """See `SampleKind.good_file`."""
        return self.seeds[0]

    def run_stages(self, bad: Path, results: Path) -> None:
        """See `SampleKind.run_stages`."""
        sheet = write_rows(results.parent, "video", bad, self.good_file())
        options = stage_options("extract_frames")
        script = script_of("extract_frames")
        run_stage(results, "extract_frames", script, sheet=sheet, options=options)
        run_stage(
            results,
            "extract_audio",
            script_of("extract_audio"),
            sheet=sheet,
            before=["extract_frames"],
            suffix=".wav",
        )


class Crops(SampleKind):
    """Folders of aligned crops."""

    name = "crops"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        folder = self.folder / "crops"
        folder.mkdir()
        draw = np.random.default_rng(0)
        for number in range(1, FRAMES + 1):
            picture = draw.integers(0, 255, (112, 112, 3), dtype=np.uint8)
            Image.fromarray(picture).save(folder / f"{number:05d}.jpg")
        return [folder]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "crops"
        shutil.copytree(self.seeds[0], bad)
        crop = bad / f"{rng.randint(1, FRAMES):05d}.jpg"
        content = crop.read_bytes()
        oddities: Sequence[Callable[[], Any]] = (
            lambda: crop.mkdir(),
            lambda: os.mkfifo(crop),
            lambda: crop.symlink_to(crop.name),
            lambda: crop.symlink_to("/dev/zero"),
            lambda: crop.symlink_to(self.secret),
            lambda: crop.write_bytes(_declare_size(content, rng.choice((1, 13_400, 65_500)))),
            lambda: crop.write_bytes(b""),
        )
        crop.unlink()
        if rng.random() < 0.2:
            rng.choice(oddities)()
        else:
            crop.write_bytes(damage_bytes(rng, content))
        return bad

    def good_file(self) -> Path:
        """See `SampleKind.good_file`."""
        return self.seeds[0]

    def run_stages(self, bad: Path, results: Path) -> None:
        """See `SampleKind.run_stages`."""
        from circumplex.pipeline.jobs.faces import align_shard

        write_timelines(results)
        sheet = write_rows(results.parent, "faces", bad, self.good_file())
        options = stage_options("align_faces")
        before = ["extract_frames"]
        run_stage(results, "align_faces", align_shard, sheet=sheet, before=before, options=options)
        fill = stage_options("fill_frames")
        script = script_of("fill_frames")
        run_stage(results, "fill_frames", script, before=["align_faces"], options=fill)


def _declare_size(jpeg: bytes, side: int) -> bytes:
    """A JPEG whose header declares another height and width."""
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + side.to_bytes(2, "big") * 2 + jpeg[start + 4 :]


class Imports(SampleKind):
    """Files of features, in every form."""

    name = "imports"
    dimension = 3

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        values = np.random.default_rng(0).normal(size=(FRAMES, self.dimension)).astype(np.float32)
        names = [f"v{k}" for k in range(self.dimension)]
        columns: dict[str, Any] = dict(zip(names, values.T, strict=True))
        keys = {"frame": np.arange(FRAMES), "time_s": np.arange(FRAMES) / 25}
        np.save(self.folder / "a.npy", values)
        np.savetxt(self.folder / "b.csv", values, delimiter=",")
        rows = np.column_stack([keys["frame"], keys["time_s"], values])
        header = ",".join([*keys, *names])
        np.savetxt(self.folder / "c.csv", rows, delimiter=",", header=header, comments="")
        pq.write_table(pa.table({**keys, **columns}), self.folder / "d.parquet")
        lists = {**keys, "vector": values.tolist()}
        pq.write_table(pa.table(lists), self.folder / "e.parquet", compression="gzip")
        return sorted(p for p in self.folder.iterdir() if p != self.secret)

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        source = work / "source"
        source.mkdir()
        seed = rng.choice(self.seeds)
        bad = source / f"bad{seed.suffix}"
        if seed.suffix == ".csv":
            bad.write_bytes(damage_text(rng, seed.read_text()))
        elif rng.random() < 0.1:
            np.savez(source / "x.npz", np.zeros(4))
            (source / "x.npz").rename(source / "bad.npy")
        else:
            bad.write_bytes(damage_bytes(rng, seed.read_bytes()))
        shutil.copy(self.seeds[0], source / "good.npy")
        return source

    def good_file(self) -> Path:
        """See `SampleKind.good_file`."""
        source = self.folder / "good"
        source.mkdir(exist_ok=True)
        for name in ("bad", "good"):
            shutil.copy(self.seeds[0], source / f"{name}.npy")
        return source

    def run_stages(self, bad: Path, results: Path) -> None:
        """See `SampleKind.run_stages`."""
        write_timelines(results)
        run_stage(
            results,
            "import_fau",
            script_of("import_features"),
            before=["extract_frames"],
            options={"dimension": self.dimension},
            feature="fau",
            source=str(bad),
        )


class Hdf5(Imports):
    """HDF5 files of features of all samples; those that name another file must be refused."""

    name = "hdf5"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        values = np.random.default_rng(0).normal(size=(FRAMES, self.dimension)).astype(np.float32)
        for name, options in (("a", {}), ("b", {"chunks": (8, 3), "compression": "gzip"})):
            with h5py.File(self.folder / f"{name}.h5", "w") as file:
                for sample in ("bad", "good"):
                    file.create_dataset(f"{sample}/fts", data=values, **options)
        return sorted(self.folder.glob("*.h5"))

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`; damaged bytes may be the good sample's, which lies there too."""
        structured = rng.random() < 0.5
        bad = work / ("structured.h5" if structured else "damaged.h5")
        shutil.copy(rng.choice(self.seeds), bad)
        if structured:
            with h5py.File(bad, "r+") as file:
                del file["bad/fts"]
                rng.choice((self._link, self._externalise, self._virtualise, self._retype))(
                    rng, file
                )
        else:
            bad.write_bytes(damage_bytes(rng, bad.read_bytes()))
        return bad

    def _link(self, rng: Random, file: h5py.File) -> None:
        file["bad/fts"] = rng.choice(
            (
                h5py.SoftLink("/bad/fts"),
                h5py.SoftLink("/nowhere"),
                h5py.ExternalLink(str(self.seeds[0]), "/good/fts"),
                h5py.ExternalLink("gone.h5", "/good/fts"),
            )
        )

    def _externalise(self, rng: Random, file: h5py.File) -> None:
        path = rng.choice((str(self.secret), "gone.bin"))
        shape = (FRAMES, self.dimension)
        file["bad"].create_dataset("fts", shape, "f4", external=[(path, 0, h5py.h5f.UNLIMITED)])

    def _virtualise(self, rng: Random, file: h5py.File) -> None:
        layout = h5py.VirtualLayout((FRAMES, self.dimension), "f4")
        path = rng.choice((str(self.seeds[0]), "gone.h5"))
        layout[:] = h5py.VirtualSource(path, "good/fts", (FRAMES, self.dimension))
        file["bad"].create_virtual_dataset("fts", layout)

    def _retype(self, rng: Random, file: h5py.File) -> None:
        shape: tuple[int, ...] = (FRAMES, self.dimension)
        kinds: Sequence[Any] = (
            "S8",
            "c8",
            "u8",
            "f2",
            h5py.string_dtype(),
            [("a", "f4"), ("b", "i2")],
        )
        sizes = ((), (0,), (FRAMES,), (FRAMES, 0), (0, 3), (FRAMES, 1 << 30), (2, FRAMES, 3), shape)
        chosen = rng.choice(sizes)
        file["bad"].create_dataset("fts", chosen, rng.choice(kinds), chunks=None)

    def consume(self, bad: Path, work: Path) -> str:
        """See `Kind.consume`."""
        said = super().consume(bad, work)
        if said != "accepted":
            return said
        with h5py.File(bad, "r") as file:
            link = file["bad"].get("fts", getlink=True)
            values = file["bad/fts"]
            refers = isinstance(link, h5py.ExternalLink) or values.is_virtual or values.external
        return "FOLLOWED: another file was read" if refers else said

    def good_file(self) -> Path:
        """See `SampleKind.good_file`."""
        return self.seeds[0]

    def find_faults(self, work: Path) -> list[str]:
        """See `Kind.find_faults`."""
        faults = super().find_faults(work)
        whole = (work / "structured.h5").exists()
        return faults if whole else [fault for fault in faults if not fault.startswith("lost")]


class Annotations(SampleKind):
    """Annotation texts."""

    name = "annotations"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        values = np.random.default_rng(0).uniform(-1, 1, (FRAMES, 2))
        path = self.folder / "a.txt"
        lines = [f"{valence:.3f},{arousal:.3f}" for valence, arousal in values]
        path.write_text("\n".join(["valence,arousal", *lines]) + "\n")
        return [path]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.txt"
        text = self.seeds[0].read_text()
        damaged = damage_text(rng, text) if rng.random() < 0.7 else damage_bytes(rng, text.encode())
        bad.write_bytes(damaged)
        return bad

    def good_file(self) -> Path:
        """See `SampleKind.good_file`."""
        return self.seeds[0]

    def run_stages(self, bad: Path, results: Path) -> None:
        """See `SampleKind.run_stages`."""
        write_timelines(results)
        sheet = write_rows(results.parent, "annotation", bad, self.good_file())
        run_stage(
            results,
            "read_labels",
            script_of("read_labels"),
            sheet=sheet,
            before=["extract_frames"],
            options=stage_options("read_labels"),
        )


class Configs(Kind):
    """Presets over ``config.yaml``."""

    name = "configs"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        write_sheet(self.folder / "samples.tsv", _rows())
        places = {"samples": str(self.folder / "samples.tsv"), "results": str(self.folder / "out")}
        self.config = overlay(config_of(), places)
        return sorted((ROOT / "config").glob("*.yaml"))

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.yaml"
        seed = rng.choice(self.seeds).read_text()
        how = rng.random()
        if how < 0.6:
            whole = overlay(self.config, yaml.safe_load(seed))
            bad.write_text(yaml.safe_dump(damage_value(rng, whole), allow_unicode=True))
        elif how < 0.8:
            bad.write_bytes(damage_text(rng, seed))
        else:
            bad.write_bytes(damage_bytes(rng, seed.encode()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        values = read_small_yaml(bad)
        if isinstance(values, dict):
            make_plan(overlay(self.config, values))
        return "accepted"


class Sheets(Kind):
    """Sample sheets."""

    name = "sheets"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        self.config = overlay(config_of(), {"results": str(self.folder / "out")})
        return [write_sheet(self.folder / "samples.tsv", _rows())]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.tsv"
        text = self.seeds[0].read_text()
        damaged = damage_text(rng, text) if rng.random() < 0.7 else damage_bytes(rng, text.encode())
        bad.write_bytes(damaged)
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        make_plan(overlay(self.config, {"samples": str(bad)}))
        return "accepted"


def _rows() -> list[dict[str, str]]:
    parts = {"train": 6, "val": 6, "test": 1}
    return [
        {"sample": f"{s}{k}", "video": f"{s}{k}.mp4", "annotation": "a.txt", "split": s}
        for s, count in parts.items()
        for k in range(count)
    ]


class Exports(Kind):
    """Descriptions of exported ensembles."""

    name = "exports"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        features = {name: {"weights": "random:0"} for name in ("densenet", "iresnet", "fau")}
        changes = {"features": {**features, "vggish": {"weights": "random:0"}}}
        changes["features"]["wav2vec2"] = {"weights": "random:0"}
        config = request_config(self.folder, changes)
        graph = Graph(builder_of(config, self.folder / "digests"))
        request = graph.job("export_ensemble", "main").request
        model = self.folder / "model.pt"
        model.write_bytes(b"a model")
        folder = self.folder / "export"
        write_export(folder, request.description, {run: model for run in request.runs})
        row = {"sample": "a", "video": "a.mp4", "split": "predict"}
        self.config = overlay(config, {"samples": str(write_sheet(self.folder / "a.tsv", [row]))})
        return [folder]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "export"
        shutil.copytree(self.seeds[0], bad)
        path = bad / "ensemble.json"
        if rng.random() < 0.8:
            path.write_text(json.dumps(damage_value(rng, json.loads(path.read_text()))))
        else:
            path.write_bytes(damage_bytes(rng, path.read_bytes()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:
        """See `Kind.consume`."""
        builder = builder_of(overlay(self.config, {"export": str(bad)}), work)
        builder.prepare()
        for stage, unit in jobs_of(builder):
            builder.request(stage, unit)
        return "accepted"


class Checkpoints(Kind):
    """Files of weights, loaded into a network."""

    name = "checkpoints"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        self.state = {"weight": torch.randn(8, 4), "bias": torch.randn(8)}
        torch.save(self.state, self.folder / "a.pth")
        torch.save({"state_dict": self.state, "epoch": 3}, self.folder / "b.pth")
        torch.save(self.state, self.folder / "c.pth", _use_new_zipfile_serialization=False)
        return sorted(self.folder.glob("*.pth"))

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.pth"
        if rng.random() < 0.2:
            bias = torch.ones(8)
            odd = (torch.full((8,), float("nan")), bias.to_sparse(), bias.to("meta"), 3, None, "x")
            key = rng.choice(("bias", "bias", "extra", 3))
            torch.save({**self.state, key: rng.choice(odd)}, bad)
        else:
            bad.write_bytes(damage_bytes(rng, rng.choice(self.seeds).read_bytes()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        network = torch.nn.Linear(4, 8)
        load_into(network, Weights.parse(str(bad)))
        assert all(value.isfinite().all() for value in network.parameters()), "NaN was accepted"
        return "accepted"


class Models(Kind):
    """Model files of trained encoders."""

    name = "models"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        path = self.folder / "a.pt"
        weights = {"layer.weight": torch.randn(8, 4)}
        value = {
            "format": 2,
            "spec": {"encoder": {"kind": "lstm"}},
            "dimensions": {"face": 3},
            "scalings": {"face": {"mean": torch.zeros(3), "scale": torch.ones(3)}},
            "checkpoints": {"valence": [[1, weights]], "arousal": [[2, weights]]},
            "seed": 0,
            "fold": None,
            "metadata": {"train_samples": ["a"]},
        }
        torch.save(value, path)
        self.value = value
        return [path]

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        bad = work / "bad.pt"
        if rng.random() < 0.5:
            torch.save(damage_value(rng, self.value), bad)
        else:
            bad.write_bytes(damage_bytes(rng, self.seeds[0].read_bytes()))
        return bad

    def consume(self, bad: Path, work: Path) -> str:  # noqa: ARG002 - writes nothing
        """See `Kind.consume`."""
        load_model(bad)
        return "accepted"


KINDS: tuple[type[Kind], ...] = (
    *(Media, Imports, Hdf5, Crops, Annotations, Configs, Sheets, Exports, Checkpoints, Models),
)

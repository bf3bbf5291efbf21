"""Kinds of per-sample files: their stages run on a shard of two samples, by the rules' own scripts.

The bad file may fail its own sample only.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from clips import Sound, write_video
from example_requests import write_sheet
from fuzz.kind import (
    FRAMES,
    SampleKind,
    run_stage,
    script_of,
    stage_options,
    write_rows,
    write_timelines,
)
from fuzz.mutations import damage_bytes, damage_text
from waves import sound, write_wave


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


ONE_TARGET = ".valence"
"""In the name of a file that holds one target: the sheet has a column for it."""
NOVA = """<?xml version="1.0" ?>
<annotation ssi-v="3">
    <info ftype="ASCII" size="40" />
    <meta annotator="a"/>
    <scheme name="valence" type="CONTINUOUS" sr="25" min="-1" max="1" />
</annotation>
"""


class Annotations(SampleKind):
    """Annotations of every layout."""

    name = "annotations"

    def make_seeds(self) -> Sequence[Path]:
        """See `Kind.make_seeds`."""
        values = np.random.default_rng(0).uniform(-1, 1, (FRAMES, 2)).round(3)
        rows = [(k / 25, valence, arousal) for k, (valence, arousal) in enumerate(values)]
        frames = {
            f"{k:05d}": {"valence": 10 * v, "arousal": 10 * a} for k, (_, v, a) in enumerate(rows)
        }
        texts = {
            "a.txt": ("valence,arousal", [f"{v},{a}" for _, v, a in rows]),
            "csv.csv": ("time;valence;arousal", [f"{t:g};{v};{a}" for t, v, a in rows]),
            f"carma{ONE_TARGET}.csv": (
                "Lower Label,a\nMinimum Value,-1\nMaximum Value,1\nSecond,Rating\n%%%%%%,%%%%%%",
                [f"{t:g},{v}" for t, v, _ in rows],
            ),
            "darma.csv": (
                "Multimedia File,a,2,\nMagnitude,1,,\nSecond,Valence,Arousal,Button\n%%%%%%,,,",
                [f"{t:g},{v},{a},0" for t, v, a in rows],
            ),
            f"muse{ONE_TARGET}.csv": (
                "timestamp,segment_id,value",
                [f"{1000 * t:.0f},1,{v}" for t, v, _ in rows],
            ),
            f"recola{ONE_TARGET}.csv": (
                "time;FM1;FF1",
                [f"{t:g};{v};{a}" for t, v, a in rows],
            ),
            "sewa.csv": (
                "name;timestamp;arousal;valence;liking",
                [f"'a';{t:g};{a};{v};0" for t, v, a in rows],
            ),
            f"pagan{ONE_TARGET}.csv": (
                "OriginalName,DatabaseName,Participant,SessionID,Timestamp,VideoTime,Value",
                [f"a,b,p{k % 2},s,{k},{t:g},{v}" for k, (t, v, _) in enumerate(rows)],
            ),
            "elan.txt": (
                "Begin Time - ss.msec\tEnd Time - ss.msec\tvalence",
                [f"{t:.3f}\t{t + 0.04:.3f}\t{v}" for t, v, _ in rows],
            ),
            "afewva.json": (json.dumps({"frames": frames}), []),
            "nova.annotation": (NOVA, []),
        }
        seeds = []
        for name, (header, lines) in texts.items():
            path = self.folder / name
            path.write_text("\n".join([header, *lines]) + "\n")
            seeds.append(path)
        data = "".join(f"{v};1\n" for _, v, _ in rows)
        (self.folder / "nova.annotation~").write_text(data)
        return seeds

    def write_bad(self, rng: Random, work: Path) -> Path:
        """See `Kind.write_bad`."""
        seed = rng.choice(self.seeds)
        bad = work / f"bad-{seed.name}"
        self._damage(rng, seed, bad)
        data = seed.with_name(f"{seed.name}~")
        if data.exists():
            self._damage(rng, data, work / f"bad-{data.name}")
        return bad

    def _damage(self, rng: Random, seed: Path, bad: Path) -> None:
        text = seed.read_text()
        damaged = damage_text(rng, text) if rng.random() < 0.7 else damage_bytes(rng, text.encode())
        bad.write_bytes(damaged)

    def good_file(self) -> Path:
        """See `SampleKind.good_file`."""
        return self.seeds[0]

    def run_stages(self, bad: Path, results: Path) -> None:
        """See `SampleKind.run_stages`."""
        write_timelines(results)
        column = "annotation_valence" if ONE_TARGET in bad.name else "annotation"
        files = {"bad": {column: str(bad)}, "good": {"annotation": str(self.good_file())}}
        rows = [{"sample": n, "video": "a", "split": "predict", **of} for n, of in files.items()]
        sheet = write_sheet(results.parent / "samples.tsv", rows)
        run_stage(
            results,
            "read_labels",
            script_of("read_labels"),
            sheet=sheet,
            before=["extract_frames"],
            options=stage_options("read_labels"),
        )

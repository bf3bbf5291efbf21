"""Inputs of a report, with hostile names, and how its page is read."""

import base64
import math
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from circumplex.config.features import FEATURES
from circumplex.io.kept_folder import KeptFolder
from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.predictions.table import PredictionWriter
from circumplex.report.corpus import ReportSample
from circumplex.report.feature_cards import make_card
from circumplex.report.page import ReportInputs, write_report
from circumplex.report.quality import Quality, write_quality
from circumplex.targets import Target

HOSTILE = "<script>alert(1)</script>"
SHEET = b"\xff\xd8 a picture \xff\xd9"
VOID = {"meta", "img", "link", "br", "hr", "input", "line", "rect"}
PLACE = "report"
"""Folder of the further pages, beside the report."""


class Page(HTMLParser):
    """Elements, text by section, style and script; raises on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {"": ""}
        self.rows: list[list[str]] = []
        self.code: dict[str, str] = {}
        self._open: list[str] = []
        self._section = ""
        self.feed(html)
        assert self._open == []
        self.text = " ".join(self.sections.values())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.sections[self._section] = ""
        if tag == "tr":
            self.rows.append([self._section])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"style", "script"} & set(self._open):
            self.code[self._open[-1]] = self.code.get(self._open[-1], "") + data
            return
        self.sections[self._section] += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    def table(self, section: str) -> list[list[str]]:
        return [[" ".join(c.split()) for c in row[1:]] for row in self.rows if row[0] == section]

    def pictures(self) -> list[ElementTree.Element]:
        sources = [attrs["src"] or "" for tag, attrs in self.tags if tag == "img"]
        return [picture(source) for source in sources if "image/svg" in source]


def picture(uri: str) -> ElementTree.Element:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/svg+xml;base64"
    return ElementTree.fromstring(base64.b64decode(data, validate=True))


def words(svg: ElementTree.Element) -> str:
    return " ".join(svg.itertext())


class Corpus:
    """Synthetic outputs of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples: list[ReportSample] = []
        self.predicted: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.rng = np.random.default_rng(7)

    def add(
        self,
        name: str,
        split: str = "val",
        frames: int = 300,
        *,
        face_share: float = 1.0,
        loudness: float | None = 0.1,
        labelled: bool = True,
        known: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        place = self.folder / f"sample{len(self.samples)}"
        time_s = np.arange(frames) / 30.0
        frame = np.arange(frames, dtype=np.int32)
        phase = self.rng.uniform(0, 6, 2)
        truth = 0.6 * np.sin(time_s[:, None] * [0.7, 0.4] + phase)
        self.predicted[name] = time_s, 0.7 * truth + 0.05 * self.rng.standard_normal(truth.shape)
        keys = {"frame": frame, "time_s": time_s}
        valid = frame >= round(frames * (1 - face_share))
        files = {name: place / f"{name}.parquet" for name in ("faces", "quality")}
        if valid.any():
            files["fill"] = place / "fill.parquet"
            source = np.where(valid, frame, np.argmax(valid)).astype(np.int32)
            self._write(files["fill"], keys, source_frame=source)
        self._write(files["faces"], keys, valid=valid)
        numbers = {
            "frames": frames,
            "duration_s": frames / 30,
            "decoded_share": 1.0,
            "valid_share": float(valid.mean()),
            "face_px": 90 if valid.any() else None,
            "detections": float(valid.mean()),
            "most_detections": int(valid.any()),
            "crowded_share": 0.0,
            "switches": 0,
        }
        if loudness is not None:
            numbers["sound_s"] = frames / 30
            numbers["level_dbfs"] = 20 * math.log10(loudness) if loudness else -math.inf
            numbers["silent_share"] = 0.0 if loudness else 1.0
        write_quality(files["quality"], Quality(**{**numbers, **(known or {})}), SHEET, {})
        if labelled:
            files["labels"] = place / "labels.parquet"
            annotated = (frame < frames * 0.4) | (frame >= frames * 0.6)
            hidden = np.where(annotated[:, None], truth, np.nan).astype(np.float32)
            self._write(
                files["labels"],
                keys,
                valence=hidden[:, 0],
                arousal=hidden[:, 1],
                annotated=annotated,
            )
        self.samples.append(ReportSample(name, split, "largest", name, **{**files, **fields}))

    def add_failed(self, name: str, stage: str, reason: str) -> None:
        self.samples.append(
            ReportSample(name, "train", "left", "video", failures=((stage, reason),))
        )

    def _write(self, path: Path, keys: dict[str, Any], **columns: np.ndarray) -> None:
        fields = [pa.field(name, pa.array(values[:1]).type) for name, values in columns.items()]
        with TableWriter(path, frame_schema(*fields), {}) as table:
            table.write(**keys, **columns)

    def ensemble(self, name: str, samples: Sequence[str], shift: float = 0.0) -> Path:
        path = self.folder / f"{name}.parquet"
        with PredictionWriter(path, {}) as table:
            for sample in samples:
                time_s, values = self.predicted[sample]
                table.write(sample, time_s, values + shift)
        return path

    def members(self, name: str, samples: Sequence[str]) -> dict[Target, list[Path]]:
        """Two models, as far above the ensemble as below it."""
        paths = [self.ensemble(f"{name}{k}", samples, shift) for k, shift in ((0, 0.1), (1, -0.1))]
        return {target: paths for target in Target}

    def metrics(self, rows: Sequence[tuple[Any, ...]]) -> Path:
        path = self.folder / "ccc.parquet"
        text, number = pa.string(), pa.int32()
        schema = pa.schema(
            {name: text for name in ("kind", "model", "experiment", "fold")}
            | {"seed": number, "split": text, "target": text, "ccc": pa.float64()}
            | {"frames": pa.int64(), "samples": number}
        )
        if rows and len(rows[0]) > len(schema):
            schema = schema.append(pa.field("clip_ccc", pa.float64()))
        with TableWriter(path, schema, {}) as table:
            if rows:
                table.write(**dict(zip(schema.names, zip(*rows, strict=True), strict=True)))
        return path

    def log(self, run: str, *, validated: bool = True) -> Path:
        path = self.folder / "logs" / f"{run}.parquet"
        epochs = np.arange(1, 31, dtype=np.int64)
        noise = 0.02 * self.rng.standard_normal((3, 30))
        ccc = 0.5 * (1 - np.exp(-epochs / 6)) + noise[:2]
        kind = pa.float64() if validated else pa.null()
        schema = pa.schema(
            {"epoch": pa.int64(), "learning_rate": pa.float64(), "train_loss": pa.float64()}
            | {"ccc_valence": kind, "ccc_arousal": kind}
        )
        with TableWriter(path, schema, {}) as table:
            table.write(
                epoch=epochs,
                learning_rate=np.full(30, 1e-4),
                train_loss=2 * np.exp(-epochs / 10) + noise[2],
                ccc_valence=ccc[0] if validated else [None] * 30,
                ccc_arousal=ccc[1] if validated else [None] * 30,
            )
        return path


def scores(
    kind: str, model: str, experiment: str, fold: str, seed: int, split: str, *ccc: float
) -> list[tuple[Any, ...]]:
    key = (kind, model, experiment, fold, seed, split)
    return [(*key, t, c, 1800, 6) for t, c in zip(("valence", "arousal"), ccc, strict=True)]


def write(output: Path, inputs: ReportInputs) -> Page:
    """Write the report and its further pages; returns the report as it is read back."""
    with KeptFolder(output.parent / PLACE) as folder:
        write_report(output, inputs, folder, PLACE)
    return Page(output.read_text(encoding="utf-8"))


def further(output: Path, kind: str) -> list[Page]:
    """The further pages of a report: ``traces`` or ``faces``."""
    paths = sorted((output.parent / PLACE).glob(f"{kind}-*.html"))
    return [Page(path.read_text(encoding="utf-8")) for path in paths]


MODELS = {  # (fold, seed): CCC of valence and arousal
    ("0", 0): (0.40, 0.30),
    ("0", 1): (0.44, 0.31),
    ("1", 0): (0.50, 0.20),
    ("1", 1): (0.56, 0.25),
}


def make_inputs(folder: Path) -> ReportInputs:
    corpus = Corpus(folder)
    corpus.add("calm", frames=900)
    corpus.add("long_one", frames=5000)
    corpus.add("turned_away", frames=400, face_share=0.25)
    corpus.add(HOSTILE, "test", labelled=False)
    corpus.add("mute", loudness=0.0)
    corpus.add("deaf", loudness=None, absent=("audio: the file has no audio stream",))
    corpus.add_failed("broken & bent", "extract_frames", 'cannot be opened: "EOF" <b>cut</b>')
    metrics = scores("ensemble", "final", "", "", -1, "val", 0.61234, 0.5)
    metrics += scores("ensemble", "visual", "", "", -1, "val", 0.4, math.nan)
    for (fold, seed), ccc in MODELS.items():
        metrics += scores("model", f"tr/{fold}/seed{seed}", "tr", fold, seed, "val", *ccc)
    metrics += scores("model", "lstm/official/seed0", "lstm", "official", 0, "val", -0.01, 0.2)
    return ReportInputs(
        title=f"Affect of {HOSTILE}",
        samples=tuple(corpus.samples),
        random_weights={"iresnet": "random:1", "vggish": "random:2"},
        metrics=corpus.metrics(metrics),
        ensembles={
            "final": corpus.ensemble("final", list(corpus.predicted)),
            "visual": corpus.ensemble("visual", ["calm"]),
        },
        members={"final": corpus.members("final", list(corpus.predicted))},
        run={"Run": "1 May 2024; config demo.yaml", "Weights": f"vggish {HOSTILE}"},
        training_logs={
            **{f"tr/{f}/seed{s}": corpus.log(f"tr/{f}/seed{s}") for f, s in MODELS},
            "mix/all/seed0": corpus.log("mix/all/seed0", validated=False),
        },
        submissions={
            "abaw": {
                "ensemble": "final",
                "format": "abaw3",
                "folder": "submissions/abaw",
                "files": {f"{HOSTILE}.txt": "ab" * 32, "b.txt": "cd" * 32},
                "missing": ["broken & bent"],
            }
        },
        facts={"Machine": "a computer", HOSTILE: "none"},
        cards=(
            make_card(
                FEATURES["vggish"],
                {"weights": "random:2"},
                (),
                "0.05 CPU seconds per second of video",
            ),
            make_card(
                FEATURES["iresnet"],
                {"weights": "published:glint360k_r100", "depth": 100, "channels": 64},
                (),
                "8 CPU seconds",
            ),
            make_card(FEATURES["egemaps"], {}, ("Loudness_sma3", f"{HOSTILE}_sma3"), ""),
        ),
    )


def empty_inputs(folder: Path, **fields: Any) -> ReportInputs:
    nothing = ReportInputs("Empty", (), {}, Corpus(folder).metrics([]), {}, {}, {}, {})
    return replace(nothing, **fields)

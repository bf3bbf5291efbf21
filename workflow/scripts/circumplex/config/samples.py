"""The sample sheet: one row per sample, that is, a subject in a video.

Imported while the workflow is parsed: standard library and pydantic only.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from circumplex.config.section import Lax, Section, Text
from circumplex.config.validation import suggestion
from circumplex.errors import RequestError

MAX_NAME = 120
"""Characters of a sample's name."""
MAX_NAME_BYTES = 200
"""Of a sample's name: file systems take 255, and suffixes and temporary names come on top."""


AUTO = "auto"
"""In the column ``annotation_format``: the layout is recognised by the file's beginning."""
Coordinate = Annotated[float, Field(ge=-1, le=1)]
"""A value of valence or arousal."""


class MissingSheet(RequestError):
    """There is no sample sheet where the config names one."""


class Split(StrEnum):
    """Which part of the data a sample belongs to; `PREDICT` has no annotation and no score."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    PREDICT = "predict"


class SheetRow(Section):
    """Cells of a row; an empty one counts as absent. Paths are relative to the sheet."""

    sample: str = Field(
        pattern=r"^[^./\\\x00-\x1f\x7f-\x9f\u2028\u2029]"
        r"[^/\\\x00-\x1f\x7f-\x9f\u2028\u2029]{0,119}$",
        description="unique name; names files, so no slash, backslash, control character or line "
        "break, no leading dot, at most 120 characters",
    )
    split: Lax[Split] = Field(description="part of the data")
    video: Text | None = Field(
        None,
        description="video file, or a sound file for a sample without picture; may be left out "
        "where all features are imported",
    )
    subject: str = Field(
        "largest",
        pattern=r"^(largest|left|right|[0-9]+(\.[0-9]+)?(,[0-9]+(\.[0-9]+)?){3})$",
        description="which person: largest, left, right, or a box x0,y0,x1,y1 in pixels",
    )
    faces: Text | None = Field(
        None,
        description="folder of aligned crops of the organisers (00001.jpg ...); faces are then not "
        "detected",
    )
    audio: Text | None = Field(None, description="sound file to use instead of the video's own")
    annotation: Text | None = Field(
        None,
        description="file of the annotation: Aff-Wild2's text, or one of the other layouts "
        "(docs/annotations.md); or a folder with a file per annotator",
    )
    annotation_valence: Text | None = Field(
        None, description="the same of valence alone, in place of annotation"
    )
    annotation_arousal: Text | None = Field(
        None, description="the same of arousal alone, in place of annotation"
    )
    group: Text | None = Field(
        None, description="never split over folds; by default the video's file name"
    )
    annotation_format: str = Field(
        AUTO,
        description="layout of the annotation, by name (docs/annotations.md); auto recognises it",
    )
    image_rate: Lax[float] | None = Field(
        None,
        gt=0,
        le=240,
        description="frames per second of a video that is a folder of numbered images",
    )
    valence: Lax[Coordinate] | None = Field(
        None,
        description="label of the whole clip from -1 to 1, in place of an annotation: the same for "
        "all frames",
    )
    arousal: Lax[Coordinate] | None = Field(None, description="likewise; one of the two will do")
    emotion: Text | None = Field(
        None,
        description="in place of valence and arousal: an emotion whose place on the circumplex "
        "labels.emotions of the config declares",
    )
    video_stream: Lax[int] | None = Field(
        None,
        ge=0,
        description="which picture of a file with several: its number among the video streams, "
        "from 0, as in ffmpeg's v:0; by default the one that ffmpeg takes",
    )
    audio_stream: Lax[int] | None = Field(
        None,
        ge=0,
        description="which sound of a file with several: its number among the audio streams, from "
        "0, as in ffmpeg's a:0; by default the one that ffmpeg takes",
    )


@dataclass(frozen=True)
class Sample:
    """One row of the sheet; paths are resolved against the sheet's folder.

    Attributes:
        sample: unique name.
        video: video (or sound) file, or none: then features are imported.
        subject: which person: ``largest``, ``left``, ``right`` or ``x0,y0,x1,y1`` in pixels.
        faces: folder of handed-out aligned crops, or none: then faces are detected.
        audio: file of the sound where it is not the video's own.
        annotation: annotation, or none.
        split: part of the data.
        group: never split over folds; by default the video's file name, else the sample's.
        annotation_format: layout of the annotation, or ``auto``.
        video_stream: place among the file's video streams, or none: then the file's default.
        audio_stream: likewise, of the sound.
        annotation_valence: annotation of valence alone, or none.
        annotation_arousal: likewise, of arousal.
        image_rate: frames per second where the video is a folder of images, or none.
        valence: label of the whole clip in [-1, 1], or none.
        arousal: likewise.
        emotion: emotion of the whole clip, whose place is its label (`place_emotions`), or none.
    """

    sample: str
    video: Path | None
    subject: str
    faces: Path | None
    audio: Path | None
    annotation: Path | None
    split: Split
    group: str
    annotation_format: str = AUTO
    video_stream: int | None = None
    audio_stream: int | None = None
    annotation_valence: Path | None = None
    annotation_arousal: Path | None = None
    image_rate: float | None = None
    valence: float | None = None
    arousal: float | None = None
    emotion: str | None = None

    @property
    def annotations(self) -> tuple[Path, ...]:
        """Files and folders of annotation that the sheet names."""
        named = (self.annotation, self.annotation_valence, self.annotation_arousal)
        return tuple(path for path in named if path is not None)

    @property
    def is_labelled(self) -> bool:
        """Whether there is an annotation, or a label of the whole clip."""
        labels = (self.valence, self.arousal, self.emotion)
        return bool(self.annotations) or any(label is not None for label in labels)


def read_samples(sheet: Path) -> list[Sample]:
    """Read and validate the sample sheet.

    Raises:
        MissingSheet: no such file.
        RequestError: a row that breaks the schema, two samples with one name, a
            training or validation sample without annotation.
    """
    if not sheet.is_file():
        raise MissingSheet(
            f"sample sheet {sheet} is missing: write it (columns in docs/samples.md), "
            "or let `circumplex sheet` write it"
        )
    try:
        with sheet.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            columns = Counter(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except UnicodeDecodeError as error:
        raise RequestError(f"sample sheet {sheet} is not UTF-8 text: {error}") from error
    except csv.Error as error:
        raise RequestError(f"sample sheet {sheet} is not a table: {error}") from error
    for name, count in columns.items():
        if name and count > 1:
            raise RequestError(f"{sheet}: {count} columns are named {name!r}; keep one")
    if not rows:
        raise RequestError(f"sample sheet {sheet} has no rows")
    samples = [_parse(row, sheet.parent, f"{sheet}, line {line}") for line, row in rows]
    for name, count in Counter(s.sample for s in samples).items():
        if count > 1:
            raise RequestError(
                f"{sheet}: {count} samples are named {name!r}; give each a name of its own"
            )
    return samples


def _parse(row: dict[str | None, str | list[str] | None], folder: Path, where: str) -> Sample:
    if None in row:
        raise RequestError(f"{where}: more cells than the header has columns")
    filled = {str(key): value for key, value in row.items() if value not in ("", None)}
    cells = SheetRow.read(filled, source=where)
    if len(cells.sample.encode()) > MAX_NAME_BYTES:
        raise RequestError(
            f"{where}: sample {cells.sample!r} is too long to name files; "
            f"use at most {MAX_NAME_BYTES} bytes of UTF-8"
        )

    def path(cell: str | None) -> Path | None:
        return None if cell is None else folder / cell

    sample = Sample(
        sample=cells.sample,
        video=path(cells.video),
        subject=cells.subject,
        faces=path(cells.faces),
        audio=path(cells.audio),
        annotation=path(cells.annotation),
        split=cells.split,
        group=cells.group or Path(cells.video or cells.sample).name,
        annotation_format=cells.annotation_format,
        video_stream=cells.video_stream,
        audio_stream=cells.audio_stream,
        annotation_valence=path(cells.annotation_valence),
        annotation_arousal=path(cells.annotation_arousal),
        image_rate=cells.image_rate,
        valence=cells.valence,
        arousal=cells.arousal,
        emotion=cells.emotion,
    )
    _check_labels(sample, where)
    return sample


def _check_labels(sample: Sample, where: str) -> None:
    """Refuse a row with labels of two kinds, or none where one is needed."""
    given = {
        "annotation": sample.annotation,
        "annotation_valence or annotation_arousal": sample.annotation_valence
        or sample.annotation_arousal,
        "valence or arousal": sample.valence if sample.arousal is None else sample.arousal,
        "emotion": sample.emotion,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise RequestError(
            f"{where}: sample {sample.sample!r} has {' and also '.join(named)}: keep one of them"
        )
    if sample.split in (Split.TRAIN, Split.VAL) and not named:
        raise RequestError(
            f"{where}: sample {sample.sample!r} is in split {sample.split} but has no annotation; "
            "give one, or valence and arousal of the whole clip, or put the sample into split "
            "predict"
        )


def place_emotions(
    samples: Sequence[Sample], places: Mapping[str, Sequence[float]]
) -> list[Sample]:
    """Give samples with an emotion its valence and arousal.

    Args:
        samples: rows of the sheet.
        places: valence and arousal by emotion, as the config's ``labels.emotions`` declares them.

    Raises:
        RequestError: an emotion without a place.
    """
    placed = []
    for sample in samples:
        if sample.emotion is None:
            placed.append(sample)
            continue
        if sample.emotion not in places:
            raise RequestError(
                f"sample {sample.sample}: emotion {sample.emotion!r} has no place on the "
                f"circumplex{suggestion(sample.emotion, [*places])}; declare it in the config, "
                f"such as labels: {{emotions: {{{sample.emotion!r}: [0.5, 0.3]}}}} for valence 0.5 "
                "and arousal 0.3"
            )
        valence, arousal = places[sample.emotion]
        placed.append(replace(sample, valence=valence, arousal=arousal))
    return placed


def shard_of(sample: str, shards: int) -> str:
    """Shard of a sample by a stable hash of its name, so that a new sample moves no other."""
    number = int.from_bytes(hashlib.sha256(sample.encode()).digest()[:8], "big") % shards
    return f"{number:03d}-of-{shards:03d}"

"""The sample sheet: one row a sample, that is, a subject in a video.

Imported while the workflow is parsed: standard library and jsonschema only.
"""

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from circumplex.config.validation import validate
from circumplex.errors import RequestError

MAX_NAME_BYTES = 200
"""Of a sample's name: file systems take 255, and suffixes and temporary names come on top."""


class Split(StrEnum):
    """Which part of the data a sample belongs to; `PREDICT` has no annotation and no score."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    PREDICT = "predict"


@dataclass(frozen=True)
class Sample:
    """One row of the sheet; paths are resolved against the sheet's folder.

    Attributes:
        sample: unique name.
        video: video (or sound) file, or none: then features are imported.
        subject: which person: ``largest``, ``left``, ``right`` or ``x0,y0,x1,y1`` in pixels.
        faces: folder of handed-out aligned crops, or none: then faces are detected.
        audio: file of the sound where it is not the video's own.
        annotation: annotation text, or none.
        split: part of the data.
        group: never split over folds; by default the video's file name, else the sample's.
    """

    sample: str
    video: Path | None
    subject: str
    faces: Path | None
    audio: Path | None
    annotation: Path | None
    split: Split
    group: str


def read_samples(sheet: Path) -> list[Sample]:
    """Read and validate the sample sheet.

    Raises:
        RequestError: no such file, a row that breaks the schema, two samples with one name, a
            training or validation sample without annotation.
    """
    if not sheet.is_file():
        raise RequestError(
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
    filled = {key: value for key, value in row.items() if value not in ("", None)}
    validate(filled, "samples.schema.yaml", where)
    cells = {str(key): str(value) for key, value in filled.items()}
    if len(cells["sample"].encode()) > MAX_NAME_BYTES:
        raise RequestError(
            f"{where}: sample {cells['sample']!r} is too long to name files; "
            f"use at most {MAX_NAME_BYTES} bytes of UTF-8"
        )

    def path(column: str) -> Path | None:
        return folder / cells[column] if column in cells else None

    split = Split(cells["split"])
    if split in (Split.TRAIN, Split.VAL) and "annotation" not in cells:
        raise RequestError(
            f"{where}: sample {cells['sample']!r} is in split {split} but has no annotation; "
            "give one, or put the sample into split predict"
        )
    return Sample(
        sample=cells["sample"],
        video=path("video"),
        subject=cells.get("subject", "largest"),
        faces=path("faces"),
        audio=path("audio"),
        annotation=path("annotation"),
        split=split,
        group=cells.get("group", Path(cells.get("video", cells["sample"])).name),
    )


def shard_of(sample: str, shards: int) -> str:
    """Shard of a sample by a stable hash of its name, so that a new sample moves no other."""
    number = int.from_bytes(hashlib.sha256(sample.encode()).digest()[:8], "big") % shards
    return f"{number:03d}-of-{shards:03d}"

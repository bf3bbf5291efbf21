"""Read a sample's annotation and write one row per video frame."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.io.parquet import TableWriter, frame_schema, read_columns
from circumplex.targets import HEADER

UNANNOTATED = -5.0
"""In either value, it marks a frame without annotation, which enters neither loss nor metric."""

SCHEMA = frame_schema(
    pa.field("valence", pa.float32(), nullable=False),
    pa.field("arousal", pa.float32(), nullable=False),
    pa.field("annotated", pa.bool_(), nullable=False),
)


def parse_annotation(text: str) -> NDArray[np.float32]:
    """Parse an annotation text: header ``valence,arousal``, then one row per frame.

    Returns:
        Array (rows, 2) of valence and arousal in [-1, 1], NaN in both where either is -5.

    Raises:
        SampleError: the text is empty, has another header, a row that is not two numbers, or a
            value out of range.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise SampleError("the annotation is empty: write one row per frame or remove the sample")
    if lines[0].strip().lower().replace(" ", "") != HEADER:
        raise SampleError(
            f"the annotation's first line is {lines[0][:60]!r}, expected {HEADER!r}; "
            "is this a valence-arousal annotation?"
        )
    if len(lines) == 1:
        raise SampleError("the annotation has a header but no rows: write one row per frame")
    values = np.empty((len(lines) - 1, 2), dtype=np.float64)
    for row, line in enumerate(lines[1:]):
        cells = line.split(",")
        try:
            if len(cells) != 2 or "_" in line:  # Python reads 1_0 as ten.
                raise ValueError
            values[row] = [float(cell) for cell in cells]
        except ValueError:
            raise SampleError(
                f"annotation line {row + 2} is {line[:60]!r}, expected two numbers: {HEADER}"
            ) from None
    unannotated = (values == UNANNOTATED).any(axis=1)
    in_range = (np.abs(values) <= 1).all(axis=1)
    wrong = ~np.isfinite(values).all(axis=1) | ~(unannotated | in_range)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise SampleError(
            f"annotation line {row + 2} is {lines[row + 1][:60]!r}: valence and arousal lie in "
            f"[-1, 1], and {UNANNOTATED:g} marks a frame without annotation"
        )
    values[unannotated] = np.nan
    return values.astype(np.float32)


def read_labels(
    annotation: Path,
    timeline: Path,
    output: Path,
    *,
    max_difference: int,
    metadata: Mapping[str, Any],
) -> None:
    """Write ``valence``, ``arousal`` and ``annotated``, one row per video frame.

    Values of frames without annotation are NaN. Annotation and video may differ by a few frames:
    rows past the video's end are dropped, frames past the annotation's end are unannotated. The
    metadata counts both.

    Args:
        annotation: text in Aff-Wild2's format; row k belongs to the video's frame k, from 0.
        timeline: the sample's table from ``extract_frames``.
        output: table to write.
        max_difference: largest accepted difference between the numbers of rows and frames.
        metadata: metadata to write into the table.

    Raises:
        SampleError: the annotation is missing, unreadable, empty, or of another length.
    """
    rows = parse_annotation(_read_text(annotation))
    frame, time_s = read_columns(timeline, ["frame", "time_s"])
    difference = len(rows) - len(frame)
    if abs(difference) > max_difference:
        raise SampleError(
            f"annotation {annotation} has {len(rows)} rows for {len(frame)} video frames, a "
            f"difference of more than {max_difference} (labels.max_difference): is it the "
            "annotation of this video?"
        )
    values = np.full((len(frame), 2), np.nan, dtype=np.float32)
    shared = min(len(rows), len(frame))
    values[:shared] = rows[:shared]
    annotated = ~np.isnan(values).any(axis=1)
    if not annotated.any():
        raise SampleError(f"annotation {annotation} annotates no frame: all rows are unannotated")
    lengths = {"rows_dropped": max(difference, 0), "frames_unannotated": max(-difference, 0)}
    with TableWriter(output, SCHEMA, {**metadata, **lengths}) as table:
        table.write(
            frame=frame,
            time_s=time_s,
            valence=values[:, 0],
            arousal=values[:, 1],
            annotated=annotated,
        )


def _read_text(annotation: Path) -> str:
    if not annotation.is_file():
        raise SampleError(f"annotation {annotation} is missing")
    try:
        return annotation.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SampleError(f"annotation {annotation} is not text: {error}") from error
    except PermissionError as error:
        raise SampleError(
            f"annotation {annotation} cannot be read: {error}; correct its permissions"
        ) from error


def read_labels_table(path: Path) -> NDArray[np.float32]:
    """Read a table of labels as (frames, 2); unannotated frames are NaN in both columns."""
    valence, arousal, annotated = read_columns(path, ["valence", "arousal", "annotated"])
    values = np.stack([valence, arousal], axis=1).astype(np.float32)
    values[~annotated.astype(bool)] = np.nan
    return values

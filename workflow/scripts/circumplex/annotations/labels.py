"""Annotations: from the Aff-Wild2 text of a sample to one row a video frame."""

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
"""In either value it marks a frame without annotation: out of loss and metric for both."""


def parse_annotation(text: str) -> NDArray[np.float32]:
    """Rows of an annotation text: header ``valence,arousal``, then one row a frame.

    Returns:
        (rows, 2) valence and arousal in [-1, 1], NaN in both where either is -5.

    Raises:
        SampleError: empty, another header, a row that is not two numbers, a value out of range.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise SampleError("the annotation is empty: give one row a frame or remove the sample")
    if lines[0].strip().lower().replace(" ", "") != HEADER:
        raise SampleError(
            f"the annotation's first line is {lines[0][:60]!r}, expected {HEADER!r}; "
            "is this a valence-arousal annotation?"
        )
    if len(lines) == 1:
        raise SampleError("the annotation has a header but no rows: give one row a frame")
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
    """Write one row a frame of the video: ``valence``, ``arousal`` (NaN where there is none),
    ``annotated``.

    Annotation and video can differ by a few frames: rows past the video's end are dropped, frames
    past the annotation's end are unannotated; the metadata counts both.

    Args:
        annotation: text in Aff-Wild2 form; row k belongs to the video's frame k, from 0.
        timeline: the sample's table from ``extract_frames``.
        output: table to write.
        max_difference: more rows than this, more or fewer than frames, fail the sample.
        metadata: to write into the table.

    Raises:
        SampleError: missing, unreadable or empty annotation, or one of another length.
    """
    if not annotation.is_file():
        raise SampleError(f"annotation {annotation} is missing")
    try:
        text = annotation.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SampleError(f"annotation {annotation} is not text: {error}") from error
    except PermissionError as error:
        raise SampleError(f"annotation {annotation} may not be read: {error}") from error
    rows = parse_annotation(text)
    frame, time_s = read_columns(timeline, ["frame", "time_s"])
    difference = len(rows) - len(frame)
    if abs(difference) > max_difference:
        raise SampleError(
            f"annotation {annotation} has {len(rows)} rows for {len(frame)} video frames; up to "
            f"{max_difference} apart are allowed (labels.max_difference): is it this video's?"
        )
    values = np.full((len(frame), 2), np.nan, dtype=np.float32)
    shared = min(len(rows), len(frame))
    values[:shared] = rows[:shared]
    annotated = ~np.isnan(values).any(axis=1)
    if not annotated.any():
        raise SampleError(f"annotation {annotation} marks no frame: every row is unannotated")
    schema = frame_schema(
        pa.field("valence", pa.float32(), nullable=False),
        pa.field("arousal", pa.float32(), nullable=False),
        pa.field("annotated", pa.bool_(), nullable=False),
    )
    lengths = {"rows_dropped": max(difference, 0), "frames_unannotated": max(-difference, 0)}
    with TableWriter(output, schema, {**metadata, **lengths}) as table:
        table.write(
            frame=frame,
            time_s=time_s,
            valence=values[:, 0],
            arousal=values[:, 1],
            annotated=annotated,
        )


def read_labels_table(path: Path) -> NDArray[np.float32]:
    """One labels table as (frames, 2), NaN in both columns where a frame is not annotated."""
    valence, arousal, annotated = read_columns(path, ["valence", "arousal", "annotated"])
    values = np.stack([valence, arousal], axis=1).astype(np.float32)
    values[~annotated.astype(bool)] = np.nan
    return values

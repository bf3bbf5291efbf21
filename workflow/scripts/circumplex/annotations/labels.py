"""Read a sample's annotation and write one row per video frame."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.annotations import formats
from circumplex.errors import SampleError
from circumplex.io.parquet import TableWriter, describe, frame_schema, read_columns
from circumplex.media.resampling import count_video_frames, read_sources

SCHEMA = frame_schema(
    describe("valence", pa.float32(), "annotated valence in [-1, 1]; NaN without annotation"),
    describe("arousal", pa.float32(), "annotated arousal in [-1, 1]; NaN without annotation"),
    describe("annotated", pa.bool_(), "whether the frame is annotated"),
)


def read_annotation(annotation: Path, layout: str) -> NDArray[np.float32]:
    """Read an annotation by the function ``read`` of the module of its layout.

    Args:
        annotation: file or folder.
        layout: name of a module of `circumplex.annotations.formats`.

    Returns:
        Array (rows, 2) of valence and arousal in [-1, 1], row k for the video's frame k, from 0;
        NaN in both where a frame is not annotated.

    Raises:
        SampleError: it is missing, unreadable, or not of this layout.
    """
    values: NDArray[np.float32] = import_module(f"{formats.__name__}.{layout}").read(annotation)
    return values


def read_labels(
    annotation: Path,
    timeline: Path,
    output: Path,
    *,
    max_difference: int,
    metadata: Mapping[str, Any],
    layout: str = "affwild2",
) -> None:
    """Write ``valence``, ``arousal`` and ``annotated``, one row per frame of the timeline.

    Values of frames without annotation are NaN. Annotation and video may differ by a few frames:
    rows past the video's end are dropped, frames past the annotation's end are unannotated. The
    metadata counts both.

    Args:
        annotation: file of the annotation; row k belongs to the video's frame k, from 0.
        timeline: the sample's timeline, of the video's frames or a regular one.
        output: table to write.
        max_difference: largest accepted difference between the numbers of rows and frames.
        metadata: metadata to write into the table.
        layout: layout of the annotation; see `read_annotation`.

    Raises:
        SampleError: the annotation is missing, unreadable, empty, or of another length.
    """
    rows = read_annotation(annotation, layout)
    frame, time_s = read_columns(timeline, ["frame", "time_s"])
    frames = count_video_frames(timeline)
    difference = len(rows) - frames
    if abs(difference) > max_difference:
        raise SampleError(
            f"annotation {annotation} has {len(rows)} rows for {frames} video frames, a "
            f"difference of more than {max_difference}: is it the annotation of this video? "
            "labels.max_difference says how many are accepted; without a video, "
            "labels.max_difference_without_video"
        )
    values = np.full((frames, 2), np.nan, dtype=np.float32)
    shared = min(len(rows), frames)
    values[:shared] = rows[:shared]
    if (source := read_sources(timeline)) is not None:
        values = values[source]
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


def read_labels_table(path: Path) -> NDArray[np.float32]:
    """Read a table of labels as (frames, 2); unannotated frames are NaN in both columns."""
    valence, arousal, annotated = read_columns(path, ["valence", "arousal", "annotated"])
    values = np.stack([valence, arousal], axis=1).astype(np.float32)
    values[~annotated.astype(bool)] = np.nan
    return values

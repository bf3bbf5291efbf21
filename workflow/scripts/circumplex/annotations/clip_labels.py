"""Write the label of a whole clip as a constant trace, one row per video frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circumplex.annotations.labels import SCHEMA
from circumplex.io.parquet import TableWriter, read_columns
from circumplex.targets import TARGETS


def write_clip_label(
    label: Sequence[float], timeline: Path, output: Path, metadata: Mapping[str, Any]
) -> None:
    """Write the table of labels of a clip that has one valence and one arousal, or one of them.

    Args:
        label: valence and arousal in [-1, 1]; NaN where it is not annotated.
        timeline: the sample's timeline, of the video's frames or a regular one.
        output: table to write, as of `circumplex.annotations.labels.read_labels`.
        metadata: metadata to write into the table.
    """
    frame, time_s = read_columns(timeline, ["frame", "time_s"])
    columns = {
        target: np.full(len(frame), value, np.float32)
        for target, value in zip(TARGETS, label, strict=True)
    }
    with TableWriter(output, SCHEMA, {**metadata, "clip_label": list(label)}) as table:
        table.write(frame=frame, time_s=time_s, **columns, annotated=np.full(len(frame), True))

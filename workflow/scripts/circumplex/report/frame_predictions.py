"""What people see of a sample's predictions: values, spread and face of every frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.io.parquet import read_columns
from circumplex.media.resampling import find_nearest
from circumplex.predictions.spread import member_spread
from circumplex.predictions.table import PredictionTable
from circumplex.targets import Target


class Face(StrEnum):
    """Where the face of a frame's visual features comes from.

    `SEEN`: this frame; `FILLED`: the nearest frame with a face; `ABSENT`: nowhere, the sample has
    no visual features.
    """

    SEEN = "seen"
    FILLED = "filled"
    ABSENT = "absent"


@dataclass(frozen=True)
class Faces:
    """Faces of a sample by frame.

    Attributes:
        states: (frames,) whether the frame's face was seen, filled or absent.
        probability: (frames,) of the detection, NaN where there is none.
    """

    states: Sequence[Face]
    probability: NDArray[np.float32]

    @property
    def seen_share(self) -> float:
        """Share of the frames in which a face was seen, in [0, 1]."""
        return self.states.count(Face.SEEN) / len(self.states)


@dataclass(frozen=True)
class FramePredictions:
    """Predictions of one ensemble for one sample.

    Attributes:
        time_s: (frames,) seconds, increasing from 0.
        values: (frames, 2) valence and arousal in [-1, 1].
        spread: by target, (frames,) standard deviation over the ensemble's models; empty with
            fewer than two.
    """

    time_s: NDArray[np.float64]
    values: NDArray[np.float32]
    spread: Mapping[Target, NDArray[np.float64]]

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the end of the last, which lasts as long as the mean."""
        frames = len(self.time_s)
        return float(self.time_s[-1]) * frames / (frames - 1) if frames > 1 else 0.0


def read_predictions(
    sample: str, ensemble: PredictionTable, members: Mapping[Target, Sequence[PredictionTable]]
) -> FramePredictions:
    """Read a sample's predictions and the spread of its models.

    Args:
        sample: name of the sample.
        ensemble: predictions of the ensemble, which hold the sample.
        members: by target, smoothed predictions of its models.
    """
    time_s = ensemble.time_s(sample)
    return FramePredictions(
        time_s,
        ensemble.values(sample),
        {
            target: member_spread(sample, members[target], column, time_s)
            for column, target in enumerate(Target)
        },
    )


def read_faces(table: Path | None, time_s: NDArray[np.floating], *, filled: bool) -> Faces:
    """Read the faces of a sample; on a timeline of another rate, those nearest in time.

    Args:
        table: the sample's table of ``align_faces``; None if it has none.
        time_s: (frames,) times of the frames in seconds.
        filled: whether frames without a face took that of another frame; else the sample has no
            visual features.
    """
    if table is None:
        return Faces([Face.ABSENT] * len(time_s), np.full(len(time_s), np.nan, np.float32))
    valid, probability, looked_s = read_columns(table, ["valid", "probability", "time_s"])
    nearest = find_nearest(looked_s, time_s)
    unseen = Face.FILLED if filled else Face.ABSENT
    states = [Face.SEEN if seen and filled else unseen for seen in valid[nearest].tolist()]
    return Faces(states, np.asarray(probability, np.float32)[nearest])

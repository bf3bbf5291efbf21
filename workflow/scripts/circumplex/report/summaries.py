"""A sample's predictions in a few numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from circumplex.report.frame_predictions import FramePredictions
from circumplex.targets import Target


class Quadrant(StrEnum):
    """Quarters of the circumplex, counter-clockwise; zero counts as positive and as active."""

    POSITIVE_ACTIVE = "positive_active"
    NEGATIVE_ACTIVE = "negative_active"
    NEGATIVE_PASSIVE = "negative_passive"
    POSITIVE_PASSIVE = "positive_passive"


@dataclass(frozen=True)
class Extreme:
    """The lowest or highest prediction: its value, and the time of the first frame that has it."""

    value: float
    time_s: float


@dataclass(frozen=True)
class TargetSummary:
    """One target over all frames of a sample.

    Attributes:
        mean: mean over the frames.
        deviation: standard deviation over the frames, with their number in the denominator.
        lowest, highest: extremes.
    """

    mean: float
    deviation: float
    lowest: Extreme
    highest: Extreme


@dataclass(frozen=True)
class Summary:
    """A sample's predictions by one ensemble.

    Attributes:
        frames: number of frames.
        duration_s: seconds from the first frame to the end of the last.
        targets: valence and arousal.
        quadrants: share of the frames in each quadrant; they add up to 1.
    """

    frames: int
    duration_s: float
    targets: Mapping[Target, TargetSummary]
    quadrants: Mapping[Quadrant, float]


def summarise(predictions: FramePredictions) -> Summary:
    """Sum up a sample's predictions; every frame counts alike."""
    values = predictions.values.astype(np.float64)
    return Summary(
        frames=len(values),
        duration_s=predictions.duration_s,
        targets={
            target: _summarise_target(values[:, column], predictions.time_s)
            for column, target in enumerate(Target)
        },
        quadrants=_quadrant_shares(values),
    )


def _summarise_target(values: NDArray[np.float64], time_s: NDArray[np.float64]) -> TargetSummary:
    lowest, highest = int(values.argmin()), int(values.argmax())
    return TargetSummary(
        mean=float(values.mean()),
        deviation=float(values.std()),
        lowest=Extreme(float(values[lowest]), float(time_s[lowest])),
        highest=Extreme(float(values[highest]), float(time_s[highest])),
    )


def _quadrant_shares(values: NDArray[np.float64]) -> Mapping[Quadrant, float]:
    positive, active = (values >= 0).T
    inside = {
        Quadrant.POSITIVE_ACTIVE: positive & active,
        Quadrant.NEGATIVE_ACTIVE: ~positive & active,
        Quadrant.NEGATIVE_PASSIVE: ~positive & ~active,
        Quadrant.POSITIVE_PASSIVE: positive & ~active,
    }
    return {quadrant: float(frames.mean()) for quadrant, frames in inside.items()}

"""Annotations whose rows have times: one trace per annotator and target, and its resampling."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.config.annotations import TimeUnit
from circumplex.errors import SampleError
from circumplex.media.resampling import find_nearest
from circumplex.targets import Target

SAME_TIME_S = 1e-6
"""Times less apart are the same: the difference is rounding."""
SAME_VALUE = 1e-6
"""Part of a range by which a value may lie outside it by rounding."""


@dataclass(frozen=True)
class Trace:
    """What one annotator says of one target.

    Attributes:
        target: valence or arousal.
        annotator: name; empty where the file gives none.
        time_s: (rows,) seconds from the video's first frame, increasing.
        values: (rows,) in the file's own range, NaN where it has no value.
        ends_s: (rows,) where each value ends to hold, of intervals; none for points in time,
            between which values are interpolated.
        range: lowest and highest value of the scale, where the file or its layout says so.
        unit: unit in which the times are written, for messages.
    """

    target: Target
    annotator: str
    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    ends_s: NDArray[np.float64] | None = None
    range: tuple[float, float] | None = None
    unit: TimeUnit = TimeUnit.SECONDS

    @property
    def last_s(self) -> float:
        """Time up to which it says something."""
        return float((self.time_s if self.ends_s is None else self.ends_s)[-1])


def check_times(path: Path, time_s: NDArray[np.float64], lines: Sequence[int]) -> None:
    """Check that times increase.

    Args:
        path: the file, for messages.
        time_s: (rows,) times.
        lines: (rows,) number of each row's line, from 1.

    Raises:
        SampleError: there is no row, a time is no finite number, or one does not increase.
    """
    if len(time_s) == 0:
        raise SampleError(f"annotation {path} has no rows: write one per time")
    if not np.isfinite(time_s).all():
        row = int(np.flatnonzero(~np.isfinite(time_s))[0])
        raise SampleError(f"annotation {path}, line {lines[row]}: the time is missing or no number")
    steps = np.diff(time_s)
    if (steps <= 0).any():
        row = int(np.flatnonzero(steps <= 0)[0]) + 1
        fault = "repeats the time of" if steps[row - 1] == 0 else "has an earlier time than"
        raise SampleError(
            f"annotation {path}, line {lines[row]} {fault} line {lines[row - 1]}: write one row "
            "per time, in order; several annotators need a column or a file each, or a column that "
            "names them (labels.table.annotator)"
        )


def rescale(path: Path, trace: Trace, declared: tuple[float, float] | None) -> NDArray[np.float64]:
    """Bring the values of a trace to [-1, 1].

    Args:
        path: the file, for messages.
        trace: a trace.
        declared: lowest and highest value that the config declares, which comes first.

    Returns:
        (rows,) in [-1, 1], NaN where there is no value.

    Raises:
        SampleError: a value lies outside the range.
    """
    low, high = declared or trace.range or (-1.0, 1.0)
    rounding = SAME_VALUE * (high - low)
    known = trace.values[~np.isnan(trace.values)]
    outside = known[(known < low - rounding) | (known > high + rounding)]
    if len(outside):
        raise SampleError(
            f"annotation {path}: {trace.target} is {outside[0]:g}, outside the range of {low:g} to "
            f"{high:g}: declare the scale's lowest and highest value in labels.table.range"
        )
    if (low, high) == (-1.0, 1.0):
        return trace.values.clip(-1, 1)
    return ((trace.values - low) / (high - low) * 2 - 1).clip(-1, 1)


def resample(
    trace: Trace,
    values: NDArray[np.float64],
    wanted_s: NDArray[np.floating],
    longest_gap_s: float,
) -> NDArray[np.float64]:
    """Find the values of a trace at some times.

    Points are interpolated linearly in time; an interval's value holds from its start up to its
    end. There is no value outside the trace, nor beside a row without one, nor between two rows
    more than ``longest_gap_s`` apart.

    Args:
        trace: a trace.
        values: (rows,) its values, rescaled.
        wanted_s: (frames,) times in seconds.
        longest_gap_s: seconds.

    Returns:
        (frames,), NaN where there is no value.
    """
    time_s = trace.time_s
    before = np.searchsorted(time_s, wanted_s + SAME_TIME_S, side="right") - 1
    inside = before >= 0
    before = before.clip(0)
    if trace.ends_s is not None:
        inside &= wanted_s < trace.ends_s[before] - SAME_TIME_S
        return np.where(inside, values[before], np.nan)
    after = np.minimum(before + 1, len(time_s) - 1)
    nearest = find_nearest(time_s, wanted_s)
    hit = np.abs(time_s[nearest] - wanted_s) <= SAME_TIME_S
    gaps = time_s[after] - time_s[before]
    between = inside & (before < after) & (gaps <= longest_gap_s + SAME_TIME_S)
    between &= ~np.isnan(values[before]) & ~np.isnan(values[after])
    interpolated = np.interp(wanted_s, time_s, np.nan_to_num(values))
    return np.where(hit, values[nearest], np.where(between, interpolated, np.nan))

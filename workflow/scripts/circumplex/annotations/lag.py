"""How late annotators react: the lag at which annotation follows from features best.

For each lag, a ridge regression predicts the annotation of so much later from the features of now,
and is scored on recordings of groups that it was not fitted on. The lag of the highest correlation
is the estimate. The regression is fitted anew at each lag: predictions of a model that was trained
at one lag would favour that lag. This is the search of Mariooryad and Busso (2015), with held-out
correlation of several features in the place of mutual information (our choice).

Features and annotation are centred within each recording, since what differs between recordings
says nothing about time; features are averaged over a window that is centred, so that it shifts
nothing. All lags are scored on the same frames: those that are annotated at all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.traces import Trace, resample
from circumplex.errors import RequestError
from circumplex.targets import Target

STEP_S = 0.2
"""Seconds between two rows that are compared: annotators are slower than frames."""
WINDOW_S = 1.0
"""Seconds over which features are averaged."""
LONGEST_GAP_S = 1.0
"""Seconds between two annotated frames up to which annotation is interpolated."""
LEAST_ROWS = 10
"""Of a recording, to be counted."""
RIDGE = 0.1
"""Penalty, as a share of the features' variance, which is 1."""
FOLDS = 5
RESAMPLINGS = 500
INTERVAL = (5.0, 95.0)
"""Percentiles of the lags that resampled recordings give."""


@dataclass(frozen=True)
class Recording:
    """A recording with features and annotation.

    Attributes:
        group: recordings of one group are held out together.
        time_s: (frames,) seconds.
        features: (frames, dimension).
        annotation: (frames, 2), NaN where a target is not annotated.
    """

    group: str
    time_s: NDArray[np.float64]
    features: NDArray[np.float32]
    annotation: NDArray[np.float32]


@dataclass(frozen=True)
class LagEstimate:
    """The estimate for a target.

    Attributes:
        target: valence or arousal.
        lags_s: (lags,) that were tried, in seconds.
        correlation: (lags,) held-out correlation within recordings.
        low_s, high_s: 90% of the resampled recordings give a lag between them.
        recordings: number of recordings that count.
    """

    target: Target
    lags_s: NDArray[np.float64]
    correlation: NDArray[np.float64]
    low_s: float
    high_s: float
    recordings: int

    @property
    def lag_s(self) -> float:
        """The lag of the highest correlation."""
        return float(self.lags_s[int(np.argmax(self.correlation))])

    @property
    def at_edge(self) -> bool:
        """Whether it is the first or last that was tried, so that there may be a better one."""
        return int(np.argmax(self.correlation)) in (0, len(self.lags_s) - 1)


@dataclass(frozen=True)
class _Rows:
    """Rows of a recording at regular times, centred: features, and annotation at each lag."""

    group: str
    features: NDArray[np.float64]
    annotation: NDArray[np.float64]


def estimate_lag(
    recordings: Iterable[Recording], target: Target, lags_s: Sequence[float]
) -> LagEstimate:
    """Estimate the lag of a target's annotation.

    Args:
        recordings: recordings, of two groups at least.
        target: valence or arousal.
        lags_s: lags to try, in seconds.

    Raises:
        RequestError: fewer than two groups have a recording that is annotated long enough.
    """
    lags = np.array(lags_s, dtype=np.float64)
    rows = [found for of in recordings if (found := _rows_of(of, target, lags)) is not None]
    groups = sorted({of.group for of in rows})
    if len(groups) < 2:
        raise RequestError(
            f"{target}: {len(rows)} recordings of {len(groups)} groups are annotated for "
            f"{LEAST_ROWS * STEP_S:.0f} s beyond the span of the lags, and two groups are needed: "
            "try fewer lags, or give the samples groups in the sheet"
        )
    moments = np.stack([*_score(rows, groups)])
    correlation = _correlate(moments.sum(axis=0))
    draw = np.random.default_rng(0)
    drawn = draw.integers(0, len(moments), (RESAMPLINGS, len(moments)))
    best = [lags[int(np.argmax(_correlate(moments[chosen].sum(axis=0))))] for chosen in drawn]
    low, high = np.percentile(best, INTERVAL)
    return LagEstimate(target, lags, correlation, float(low), float(high), len(rows))


def _rows_of(recording: Recording, target: Target, lags: NDArray[np.float64]) -> _Rows | None:
    """Rows that are annotated at all lags; none if they are too few, or nothing varies."""
    time_s, column = recording.time_s, list(Target).index(target)
    values = recording.annotation[:, column].astype(np.float64)
    regular = np.arange(time_s[0], time_s[-1] + 1e-9, STEP_S)
    trace = Trace(target, "", time_s, values)
    shifted = [resample(trace, values, regular + lag, LONGEST_GAP_S) for lag in lags]
    annotation = np.stack(shifted, axis=1)
    known = ~np.isnan(annotation).any(axis=1)
    if known.sum() < LEAST_ROWS:
        return None
    features = _average(recording.features, time_s, regular)[known]
    annotation = annotation[known]
    return _Rows(
        recording.group, features - features.mean(axis=0), annotation - annotation.mean(axis=0)
    )


def _average(
    features: NDArray[np.float32], time_s: NDArray[np.float64], regular: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Means of the features over a window around each of some times."""
    total = np.concatenate(
        [np.zeros((1, features.shape[1])), np.cumsum(features, axis=0, dtype=np.float64)]
    )
    low = np.searchsorted(time_s, regular - WINDOW_S / 2 - 1e-9)
    high = np.searchsorted(time_s, regular + WINDOW_S / 2 + 1e-9)
    count = np.maximum(high - low, 1)
    return np.asarray((total[high] - total[low]) / count[:, None])


def _score(rows: Sequence[_Rows], groups: Sequence[str]) -> Iterator[NDArray[np.float64]]:
    """For each recording, (3, lags) sums of squares and products of held-out predictions."""
    scale = np.sqrt(sum((of.features**2).sum(axis=0) for of in rows))
    scale = np.where(scale > 0, scale, 1.0)
    count = sum(len(of.features) for of in rows)
    scaled = [of.features / scale * np.sqrt(count) for of in rows]
    fold = {group: place % FOLDS for place, group in enumerate(groups)}
    products = [x.T @ x for x in scaled]
    targets = [x.T @ of.annotation for x, of in zip(scaled, rows, strict=True)]
    for held_out in range(min(FOLDS, len(groups))):
        inside = [k for k, of in enumerate(rows) if fold[of.group] != held_out]
        penalty = RIDGE * sum(len(scaled[k]) for k in inside) * np.eye(scaled[0].shape[1])
        weights = np.linalg.solve(
            sum(products[k] for k in inside) + penalty, sum(targets[k] for k in inside)
        )
        for k, of in enumerate(rows):
            if fold[of.group] == held_out:
                predicted, y = scaled[k] @ weights, of.annotation
                yield np.stack([(predicted**2).sum(0), (y**2).sum(0), (predicted * y).sum(0)])


def _correlate(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation at each lag, 0 where nothing varies."""
    norm = np.sqrt(sums[0] * sums[1])
    correlation = np.zeros(len(norm))
    np.divide(sums[2], norm, out=correlation, where=norm > 0)
    return correlation

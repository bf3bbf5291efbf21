"""Two runs on the same samples: their CCC side by side, and how sure their difference is.

The difference is judged by a paired bootstrap over samples (Efron and Tibshirani 1993, chapters 8
and 13): whole samples are drawn with replacement, the same ones for both runs, since the frames of
a sample depend on each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.labels import read_labels_table
from circumplex.predictions.table import PredictionTable
from circumplex.targets import Target

DRAWS = 10_000
SEED = 0
CONFIDENCE = 0.95
MOMENTS = 6
"""Sums of a sample's frames: their number, x, y, x squared, y squared, and x times y."""
DRAWS_AT_ONCE = 500


@dataclass(frozen=True)
class Difference:
    """CCC of two runs over the same samples, for one target.

    Attributes:
        first, second: CCC of each run over the concatenation of all annotated frames.
        low, high: limits of the interval of the difference, second less first, that holds
            `CONFIDENCE` of the bootstrap's draws.
        share_above: share of the draws in which the second run is better.
        by_sample: CCC of each run by sample.
    """

    first: float
    second: float
    low: float
    high: float
    share_above: float
    by_sample: Mapping[str, tuple[float, float]]

    @property
    def difference(self) -> float:
        """Second less first."""
        return self.second - self.first


@dataclass(frozen=True)
class Scored:
    """A model or ensemble of a run, and what it is scored against.

    Attributes:
        table: its predictions.
        labels: tables of labels by sample.
    """

    table: PredictionTable
    labels: Mapping[str, Path]

    def samples(self) -> set[str]:
        """Samples with predictions and annotation."""
        return self.labels.keys() & set(self.table.samples)


def compare_scores(
    first: Scored, second: Scored, samples: Sequence[str], *, draws: int = DRAWS, seed: int = SEED
) -> Mapping[Target, Difference]:
    """Compare two models or ensembles over samples that both have predicted.

    Args:
        first: model or ensemble of the first run.
        second: that of the second run; its annotation may have another rate or other gaps.
        samples: at least one sample that both have.
        draws: number of the bootstrap's draws.
        seed: seed of the draws.
    """
    sums = [np.stack([sum_frames(run, sample) for sample in samples]) for run in (first, second)]
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(samples), np.full(len(samples), 1 / len(samples)), size=draws)
    found = {}
    for column, target in enumerate(Target):
        one, other = (of_run[:, column] for of_run in sums)
        if not (one[:, 0].sum() and other[:, 0].sum()):
            continue  # a target that nobody annotated
        gains = ccc_of_draws(counts, other) - ccc_of_draws(counts, one)
        gains = gains[np.isfinite(gains)]
        low, high = np.quantile(gains, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        pairs = zip(ccc_of_sums(one), ccc_of_sums(other), strict=True)
        found[target] = Difference(
            first=float(ccc_of_sums(one.sum(axis=0))),
            second=float(ccc_of_sums(other.sum(axis=0))),
            low=float(low),
            high=float(high),
            share_above=float((gains > 0).mean()),
            by_sample={
                sample: (float(a), float(b)) for sample, (a, b) in zip(samples, pairs, strict=True)
            },
        )
    return found


def sum_frames(run: Scored, sample: str) -> NDArray[np.float64]:
    """Sums over a sample's annotated frames, (2, `MOMENTS`), valence and arousal."""
    predicted = run.table.values(sample).astype(np.float64)
    annotated = read_labels_table(run.labels[sample]).astype(np.float64)
    sums = []
    for x, y in zip(predicted.T, annotated.T, strict=True):
        valid = np.isfinite(y)
        x, y = x[valid], y[valid]
        sums.append([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])
    return np.array(sums, np.float64)


def ccc_of_draws(counts: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """CCC of each draw.

    Args:
        counts: (draws, samples) how often each sample was drawn.
        sums: (samples, `MOMENTS`) sums over each sample's frames.

    Returns:
        (draws,) CCC; NaN for a draw without an annotated frame.
    """
    parts = [
        ccc_of_sums(counts[start : start + DRAWS_AT_ONCE] @ sums)
        for start in range(0, len(counts), DRAWS_AT_ONCE)
    ]
    return np.concatenate(parts)


def ccc_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """CCC from sums over frames, (..., `MOMENTS`).

    Values lie in [-1, 1], so that sums of squares in float64 lose nothing that matters. As in
    `circumplex.ccc`, the CCC of a constant is 0.

    Returns:
        (...) CCC; NaN where there is no frame.
    """
    count, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = x / count, y / count
        variances = xx / count - mean_x**2 + yy / count - mean_y**2
        denominator = variances + (mean_x - mean_y) ** 2
        covariance = xy / count - mean_x * mean_y
        values = np.where(denominator > 1e-15, 2 * covariance / denominator, 0.0)
    return np.asarray(np.where(count > 0, values, np.nan))


def common_samples(
    first: Scored, second: Scored, splits: Mapping[str, str], wanted: Iterable[str]
) -> list[str]:
    """Samples of some splits that both runs have predicted and that both have annotated, sorted."""
    parts = set(wanted)
    both = first.samples() & second.samples()
    return sorted(sample for sample in both if splits.get(sample) in parts)

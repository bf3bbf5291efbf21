"""Several annotators of one target: how they are combined, and how far they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from circumplex.ccc import ccc
from circumplex.config.annotations import Combination


@dataclass(frozen=True)
class Agreement:
    """How far the annotators of a target agree in one sample.

    Attributes:
        annotators: number of annotators.
        ccc: mean CCC over all pairs of annotators, in [-1, 1]; none without a common frame.
        alpha: Cronbach's alpha over the frames that all annotated; none where it is not defined.
    """

    annotators: int
    ccc: float | None
    alpha: float | None


def weigh_evaluators(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the weights of the evaluator weighted estimator (Grimm and Kroschel 2005).

    An annotator's weight is the correlation with the mean over all annotators. Theirs is over all
    utterances of a corpus, ours over the frames of one sample that all annotated, since the labels
    of a sample must depend on its own files alone. A negative correlation counts as zero (our
    choice), and so does that of a constant trace.

    Args:
        values: (annotators, frames), NaN where one has no value.

    Returns:
        (annotators,) weights that sum to 1; equal ones where none has a positive correlation.
    """
    common = values[:, ~np.isnan(values).any(axis=0)]
    count = len(values)
    weights = np.zeros(count)
    if common.shape[1] > 1:
        centred = common - common.mean(axis=1, keepdims=True)
        mean = centred.mean(axis=0)
        norms = np.sqrt((centred**2).sum(axis=1) * (mean**2).sum())
        varies = norms > 0
        weights[varies] = ((centred[varies] @ mean) / norms[varies]).clip(0)
    total = weights.sum()
    return weights / total if total > 0 else np.full(count, 1 / count)


def combine(
    traces: Sequence[NDArray[np.float64]], how: Combination
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Combine the traces of several annotators, frame by frame, over those who have a value.

    Args:
        traces: for each annotator (frames,), NaN where there is no value.
        how: mean, or the evaluator weighted estimator.

    Returns:
        (frames,) NaN where no annotator has a value, and the (annotators,) weights.
    """
    values = np.stack(traces)
    count = len(values)
    weights = weigh_evaluators(values) if how is Combination.EWE else np.full(count, 1 / count)
    if count == 1:
        return values[0], weights
    present = ~np.isnan(values) & (weights[:, None] > 0)
    total = (weights[:, None] * present).sum(axis=0)
    weighted = (weights[:, None] * np.where(present, values, 0)).sum(axis=0)
    combined = np.full(values.shape[1], np.nan)
    np.divide(weighted, total, out=combined, where=total > 0)
    return combined, weights


def measure_agreement(traces: Sequence[NDArray[np.float64]]) -> Agreement:
    """Measure how far annotators agree.

    Args:
        traces: for each annotator (frames,), NaN where there is no value.
    """
    values = np.stack(traces)
    present = ~np.isnan(values)
    scores = [
        ccc(values[a, both], values[b, both])
        for a, b in combinations(range(len(values)), 2)
        if (both := present[a] & present[b]).any()
    ]
    mean = float(np.mean(scores)) if scores else None
    return Agreement(len(values), mean, cronbach_alpha(values[:, present.all(axis=0)]))


def cronbach_alpha(values: NDArray[np.float64]) -> float | None:
    """Cronbach's alpha (1951), annotators being the items: k / (k - 1) (1 - sum var / var sum).

    Args:
        values: (annotators, frames) without gaps.

    Returns:
        at most 1; none with one annotator, fewer than two frames, or a constant sum.
    """
    count, frames = values.shape
    if count < 2 or frames < 2:
        return None
    total = float(values.sum(axis=0).var())
    if total <= 0:
        return None
    alpha: float = count / (count - 1) * (1 - float(values.var(axis=1).sum()) / total)
    return alpha

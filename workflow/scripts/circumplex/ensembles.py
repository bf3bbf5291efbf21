"""Ensembles: predictions of several models combined, apart for valence and arousal (section 3.5).

The paper averages. Two other methods weigh experiments, each first averaged over its seeds and
folds, by what they predicted of samples that they were not trained on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from circumplex.metrics import CccAccumulator

Columns = Mapping[str, NDArray[np.floating]]
"""Predictions of one target for one sample, (frames,), by experiment."""


class Method(StrEnum):
    """How predictions are combined.

    `MEAN`: of all models (the paper). `CCC_WEIGHTED`: mean weighted by held-out CCC.
    `STACKED_RIDGE`: ridge regression on out-of-fold predictions.
    """

    MEAN = "mean"
    CCC_WEIGHTED = "ccc_weighted"
    STACKED_RIDGE = "stacked_ridge"


@dataclass(frozen=True)
class Combination:
    """A linear combination of experiments.

    Attributes:
        weights: by experiment.
        intercept: added to the sum.
    """

    weights: Mapping[str, float]
    intercept: float = 0.0

    def apply(self, columns: Columns) -> NDArray[np.float32]:
        """Combine, (frames,) in [-1, 1].

        Raises:
            ValueError: an experiment that has no prediction, or one of another length.
        """
        absent = [name for name in self.weights if name not in columns]
        if absent:
            raise ValueError(f"no prediction of {', '.join(absent)}")
        arrays = _of_one_shape([columns[name] for name in self.weights])
        total = np.full(arrays[0].shape, self.intercept, dtype=np.float64)
        for array, weight in zip(arrays, self.weights.values(), strict=True):
            total += weight * array
        return total.clip(-1, 1).astype(np.float32)

    def record(self) -> dict[str, Any]:
        """As plain values, fit for metadata and `read_combination`."""
        return {"weights": dict(self.weights), "intercept": self.intercept}


def read_combination(record: Mapping[str, Any]) -> Combination:
    """The reverse of `Combination.record`."""
    return Combination(dict(record["weights"]), float(record["intercept"]))


def mean_prediction(arrays: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Mean of arrays of one shape.

    Raises:
        ValueError: no array, or unequal shapes.
    """
    total = np.zeros(_of_one_shape(arrays)[0].shape, dtype=np.float64)
    for array in arrays:
        total += array
    return (total / len(arrays)).astype(np.float32)


def _of_one_shape(arrays: Sequence[NDArray[np.floating]]) -> Sequence[NDArray[np.floating]]:
    if len({array.shape for array in arrays}) != 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"predictions to combine must have one shape, got {shapes or 'none'}")
    return arrays


def weigh_by_ccc(
    names: Sequence[str], held_out: Iterable[tuple[Columns, NDArray[np.floating]]]
) -> Combination:
    """Weights proportional to CCC; an experiment with a CCC below 0 has none.

    Args:
        names: experiments.
        held_out: a sample's predictions, of the experiments that were not trained on it, and its
            annotation (frames,), NaN where there is none, at a time.

    Returns:
        weights that sum to 1; equal ones where no experiment is above 0.
    """
    moments = {name: CccAccumulator() for name in names}
    for columns, annotation in held_out:
        valid = ~np.isnan(annotation)
        for name in moments.keys() & columns.keys():
            moments[name].update(columns[name], annotation, valid)
    scores = {name: max(of.ccc(), 0.0) if of.count else 0.0 for name, of in moments.items()}
    total = sum(scores.values())
    if total <= 0:
        return Combination(dict.fromkeys(names, 1 / len(names)))
    return Combination({name: score / total for name, score in scores.items()})


@dataclass
class StackingMoments:
    """Sums that ridge regression needs; those of a fold can be taken away from those of all.

    Values lie in [-1, 1], so that plain float64 sums over millions of frames lose nothing.

    Attributes:
        names: experiments, in the order of the columns.
        count: frames.
        total: (experiments + 1,) sums, of the annotation last.
        products: (experiments + 1, experiments + 1) sums of products.
    """

    names: tuple[str, ...]
    count: float = 0.0
    total: NDArray[np.float64] = field(init=False)
    products: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.names) + 1
        self.total, self.products = np.zeros(size), np.zeros((size, size))

    def update(self, columns: Columns, annotation: NDArray[np.floating]) -> Self:
        """Add the annotated frames of a sample that every experiment predicted held out."""
        values = np.stack([*(columns[name] for name in self.names), annotation], axis=1)
        values = values[~np.isnan(annotation)].astype(np.float64)
        self.count += len(values)
        self.total += values.sum(axis=0)
        self.products += values.T @ values
        return self

    def plus(self, other: "StackingMoments", sign: int = 1) -> "StackingMoments":
        """With the frames of another, or with ``sign`` -1 without them."""
        made = StackingMoments(self.names)
        made.count = self.count + sign * other.count
        made.total = self.total + sign * other.total
        made.products = self.products + sign * other.products
        return made

    def fit(self, alpha: float) -> Combination:
        """Ridge regression of the annotation on the predictions, intercept not penalised.

        Minimises the mean squared error plus ``alpha`` times the squared distance of the weights
        from the plain mean's: with little data or a large ``alpha``, stacking averages.

        Args:
            alpha: above 0, in the unit of the predictions' variance.
        """
        size = len(self.names)
        equal = np.full(size, 1 / size)
        if self.count < 1:
            return Combination(dict(zip(self.names, equal.tolist(), strict=True)))
        mean = self.total / self.count
        covariance = self.products / self.count - np.outer(mean, mean)
        within, towards = covariance[:size, :size], covariance[:size, size]
        weights = np.linalg.solve(within + alpha * np.eye(size), towards + alpha * equal)
        intercept = float(mean[size] - weights @ mean[:size])
        return Combination(dict(zip(self.names, weights.tolist(), strict=True)), intercept)

"""Ensembles: predictions of several models combined, apart for valence and arousal (section 3.5).

The paper averages. Two other methods weigh experiments, each first averaged over its seeds and
folds, by what they predicted of samples that they were not trained on.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.labels import read_labels_table
from circumplex.ccc import CccAccumulator
from circumplex.config.experiments import Method
from circumplex.predictions.table import PredictionTable

Columns = Mapping[str, NDArray[np.floating]]
"""Predictions of one target for one sample, (frames,), by experiment."""


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


@dataclass(frozen=True)
class Member:
    """A model of an ensemble.

    Attributes:
        experiment: of the model.
        fold: that it left out, or ``official`` or ``mix``.
        table: its predictions, of samples that it was not trained on.
    """

    experiment: str
    fold: str
    table: PredictionTable


@dataclass(frozen=True)
class TargetEnsemble:
    """An ensemble for one target.

    Attributes:
        column: of the target.
        members: models.
        method: see `Method`.
        alpha: of the ridge regression.
        labels: labels tables of the samples that weights may be fitted on: of training and
            validation, never of the test set.
        given: a combination fitted before, as an export has it.
    """

    column: int
    members: tuple[Member, ...]
    method: Method
    alpha: float
    labels: Mapping[str, Path]
    given: Mapping[str, Any] | None = None

    @cached_property
    def experiments(self) -> tuple[str, ...]:
        """Experiments, each once."""
        return tuple(dict.fromkeys(member.experiment for member in self.members))

    def predict(self, sample: str) -> NDArray[np.float32] | None:
        """(frames,) of a sample; none unless a model of every experiment predicted it."""
        if self.method is Method.MEAN:
            having = [member for member in self.members if sample in member.table]
            if {member.experiment for member in having} != set(self.experiments):
                return None
            return mean_prediction([m.table.values(sample)[:, self.column] for m in having])
        columns = self._columns(sample)
        if columns.keys() != set(self.experiments):
            return None
        return self._combination(sample).apply(columns)

    def record(self) -> dict[str, Any]:
        """What was fitted, for the metadata; empty for the plain mean."""
        return {} if self.method is Method.MEAN else self._fitted.record()

    def _columns(self, sample: str) -> dict[str, NDArray[np.float32]]:
        found = defaultdict(list)
        for member in self.members:
            if sample in member.table:
                found[member.experiment].append(member.table.values(sample)[:, self.column])
        return {experiment: mean_prediction(arrays) for experiment, arrays in found.items()}

    def _combination(self, sample: str) -> Combination:
        """What a sample is combined by: under stacking, fitted on the other folds alone."""
        if self.given is None and self.method is Method.STACKED_RIDGE and sample in self.labels:
            return self._without_fold[self._fold(sample)]
        return self._fitted

    def _fold(self, sample: str) -> str:
        return next(member.fold for member in self.members if sample in member.table)

    @cached_property
    def _fitted(self) -> Combination:
        if self.given is not None:
            return read_combination(self.given)
        if self.method is Method.STACKED_RIDGE:
            return self._total.fit(self.alpha)
        pairs = ((columns, annotation) for _, columns, annotation in self._held_out())
        return weigh_by_ccc(self.experiments, pairs)

    def _held_out(
        self,
    ) -> Iterator[tuple[str, dict[str, NDArray[np.float32]], NDArray[np.float32]]]:
        """Sample, predictions and annotation of what may be fitted on, a sample at a time."""
        predicted = {sample for member in self.members for sample in member.table.samples}
        for sample in sorted(predicted & self.labels.keys()):
            annotation = read_labels_table(self.labels[sample])[:, self.column]
            yield sample, self._columns(sample), annotation

    @cached_property
    def _by_fold(self) -> dict[str, StackingMoments]:
        folds: dict[str, StackingMoments] = {}
        for sample, columns, annotation in self._held_out():
            if columns.keys() == set(self.experiments):
                of_fold = folds.setdefault(self._fold(sample), StackingMoments(self.experiments))
                of_fold.update(columns, annotation)
        return folds

    @cached_property
    def _total(self) -> StackingMoments:
        total = StackingMoments(self.experiments)
        for of_fold in self._by_fold.values():
            total = total.plus(of_fold)
        return total

    @cached_property
    def _without_fold(self) -> dict[str, Combination]:
        return {
            fold: self._total.plus(of_fold, sign=-1).fit(self.alpha)
            for fold, of_fold in self._by_fold.items()
        }

"""Ensembles: combine the predictions of several models, separately per target (section 3.5).

The paper averages. Two further methods, our choice, weight experiments by their predictions of
samples that they were not trained on; an experiment is first averaged over its seeds and folds.
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
from circumplex.config.experiments import PRETRAINED, Method
from circumplex.predictions.table import PredictionTable

Columns = Mapping[str, NDArray[np.floating]]
"""Predictions of one target for one sample, (frames,), by experiment."""


@dataclass(frozen=True)
class Combination:
    """A linear combination of experiments.

    Attributes:
        weights: weights by experiment.
        intercept: constant added to the weighted sum.
    """

    weights: Mapping[str, float]
    intercept: float = 0.0

    def apply(self, columns: Columns) -> NDArray[np.float32]:
        """Combine the experiments' predictions of a sample.

        Returns:
            Combined prediction, (frames,) in [-1, 1].

        Raises:
            ValueError: an experiment has no prediction, or one of another length.
        """
        absent = [name for name in self.weights if name not in columns]
        if absent:
            raise ValueError(f"no prediction of {', '.join(absent)}")
        arrays = [columns[name] for name in self.weights]
        _check_shapes(arrays)
        total = np.full(arrays[0].shape, self.intercept, dtype=np.float64)
        for array, weight in zip(arrays, self.weights.values(), strict=True):
            total += weight * array
        return total.clip(-1, 1).astype(np.float32)

    def record(self) -> dict[str, Any]:
        """Convert to JSON-serialisable values for the metadata; inverse of `read_combination`."""
        return {"weights": dict(self.weights), "intercept": self.intercept}


def read_combination(record: Mapping[str, Any]) -> Combination:
    """Read a combination from the metadata; inverse of `Combination.record`."""
    return Combination(dict(record["weights"]), float(record["intercept"]))


def mean_prediction(arrays: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Mean of arrays of the same shape.

    Raises:
        ValueError: there is no array, or the shapes differ.
    """
    _check_shapes(arrays)
    total = np.zeros(arrays[0].shape, dtype=np.float64)
    for array in arrays:
        total += array
    return (total / len(arrays)).astype(np.float32)


def _check_shapes(arrays: Sequence[NDArray[np.floating]]) -> None:
    if len({array.shape for array in arrays}) != 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"predictions to combine must have one shape, got {shapes or 'none'}")


def weigh_by_ccc(
    names: Sequence[str], held_out: Iterable[tuple[Columns, NDArray[np.floating]]]
) -> Combination:
    """Weight experiments in proportion to their CCC; a CCC below 0 counts as 0.

    Args:
        names: names of the experiments.
        held_out: for each sample the predictions of the experiments that were not trained on it,
            and its annotation (frames,), NaN where a frame is not annotated.

    Returns:
        Weights that sum to 1; equal ones if no experiment has a CCC above 0.
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
    """Sums for a ridge regression, such that those of one fold can be subtracted from the total.

    Values lie in [-1, 1], so that float64 sums over millions of frames are accurate enough.

    Attributes:
        names: experiments in the order of the columns.
        count: number of frames.
        total: (experiments + 1,) sums of the predictions, then of the annotation.
        products: (experiments + 1, experiments + 1) sums of products of these.
    """

    names: tuple[str, ...]
    count: float = 0.0
    total: NDArray[np.float64] = field(init=False)
    products: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.names) + 1
        self.total, self.products = np.zeros(size), np.zeros((size, size))

    def update(self, columns: Columns, annotation: NDArray[np.floating]) -> Self:
        """Add the annotated frames of a held-out sample that every experiment has predicted."""
        values = np.stack([*(columns[name] for name in self.names), annotation], axis=1)
        values = values[~np.isnan(annotation)].astype(np.float64)
        self.count += len(values)
        self.total += values.sum(axis=0)
        self.products += values.T @ values
        return self

    def plus(self, other: "StackingMoments", sign: int = 1) -> "StackingMoments":
        """Sums with the frames of another one added, or subtracted with ``sign`` -1."""
        result = StackingMoments(self.names)
        result.count = self.count + sign * other.count
        result.total = self.total + sign * other.total
        result.products = self.products + sign * other.products
        return result

    def fit(self, alpha: float) -> Combination:
        """Fit a ridge regression of the annotation on the predictions; the intercept is free.

        It minimises the mean squared error plus ``alpha`` times the squared distance of the weights
        from equal weights: with little data or a large ``alpha``, stacking becomes the mean.

        Args:
            alpha: strength of the penalty, above 0, in units of the predictions' variance.
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
        experiment: experiment of the model.
        fold: fold that it held out, or ``official``, ``mix`` or ``pretrained``.
        table: its predictions of samples that it was not trained on.
    """

    experiment: str
    fold: str
    table: PredictionTable


@dataclass(frozen=True)
class TargetEnsemble:
    """An ensemble for one target.

    Attributes:
        column: column of the target in the predictions, 0 for valence and 1 for arousal.
        members: models of the ensemble.
        method: method of combination.
        alpha: penalty of the ridge regression.
        labels: tables of labels of the samples that weights may be fitted on: training and
            validation samples, never test samples.
        given: a combination that was fitted before, from an export; None to fit one.
    """

    column: int
    members: tuple[Member, ...]
    method: Method
    alpha: float
    labels: Mapping[str, Path]
    given: Mapping[str, Any] | None = None

    @cached_property
    def experiments(self) -> tuple[str, ...]:
        """Names of the experiments, without duplicates."""
        return tuple(dict.fromkeys(member.experiment for member in self.members))

    @property
    def _needed(self) -> set[str]:
        return {member.experiment for member in self.members if member.fold != PRETRAINED}

    def predict(self, sample: str) -> NDArray[np.float32] | None:
        """Predict a sample, (frames,); None unless a model of every experiment predicted it.

        The mean does without a pretrained model that reads what the sample lacks, sound or a face.
        """
        if self.method is Method.MEAN:
            members = [member for member in self.members if sample in member.table]
            found = {member.experiment for member in members}
            if not members or not self._needed <= found:
                return None
            return mean_prediction([m.table.values(sample)[:, self.column] for m in members])
        columns = self._columns(sample)
        if columns.keys() != set(self.experiments):
            return None
        return self._combination(sample).apply(columns)

    def record(self) -> dict[str, Any]:
        """The fitted combination for the metadata; empty for the plain mean."""
        return {} if self.method is Method.MEAN else self._overall.record()

    def _columns(self, sample: str) -> dict[str, NDArray[np.float32]]:
        """Mean prediction of a sample by experiment, for the experiments that predicted it."""
        predictions = defaultdict(list)
        for member in self.members:
            if sample in member.table:
                predictions[member.experiment].append(member.table.values(sample)[:, self.column])
        return {experiment: mean_prediction(arrays) for experiment, arrays in predictions.items()}

    def _combination(self, sample: str) -> Combination:
        """Combination for a sample; with stacking, it is fitted on the other folds only."""
        if self.given is None and self.method is Method.STACKED_RIDGE and sample in self.labels:
            return self._without_fold[self._fold(sample)]
        return self._overall

    def _fold(self, sample: str) -> str:
        """Fold that left the sample out; pretrained models have none."""
        trained = [member for member in self.members if member.fold != PRETRAINED]
        return next(member.fold for member in trained if sample in member.table)

    @cached_property
    def _overall(self) -> Combination:
        """Combination fitted on all held-out samples, or given."""
        if self.given is not None:
            return read_combination(self.given)
        if self.method is Method.STACKED_RIDGE:
            return self._total.fit(self.alpha)
        pairs = ((columns, annotation) for _, columns, annotation in self._held_out())
        return weigh_by_ccc(self.experiments, pairs)

    def _held_out(
        self,
    ) -> Iterator[tuple[str, dict[str, NDArray[np.float32]], NDArray[np.float32]]]:
        """Yield name, predictions and annotation of each sample that weights may be fitted on."""
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

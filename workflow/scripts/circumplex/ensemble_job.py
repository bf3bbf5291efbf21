"""An ensemble of one target in the making: which models have what, and how they are combined."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circumplex.ensembles import (
    Combination,
    Method,
    StackingMoments,
    mean_prediction,
    read_combination,
    weigh_by_ccc,
)
from circumplex.labels import read_labels_table
from circumplex.prediction_tables import PredictionTable


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

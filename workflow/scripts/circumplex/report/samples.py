"""The samples of a report: what an ensemble predicts for each, and how far it agrees."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.ccc import CccAccumulator
from circumplex.io.parquet import read_columns
from circumplex.predictions.table import PredictionTable
from circumplex.report.corpus import CorpusRow
from circumplex.report.frame_predictions import FramePredictions, read_predictions
from circumplex.targets import TARGETS, Target

TEST, TRAIN = "test", "train"
OUT_OF_FOLD = "out of fold"


@dataclass(frozen=True)
class EnsembleTables:
    """Predictions of an ensemble and of its models.

    Attributes:
        name: name of the ensemble.
        table: predictions of the ensemble.
        members: by target, smoothed predictions of its models.
    """

    name: str
    table: PredictionTable
    members: Mapping[Target, Sequence[PredictionTable]]

    def predictions(self, sample: str) -> FramePredictions:
        """Predictions of a sample that the table holds, with the spread of the models."""
        return read_predictions(sample, self.table, self.members)


@dataclass(frozen=True)
class SampleResult:
    """A sample with its predictions in a few numbers.

    Attributes:
        row: the sample in the corpus.
        ensemble: the first ensemble that predicted it; None if none did.
        means: mean prediction by target; empty without predictions.
        ccc: CCC over the sample's own annotated frames by target; None if no annotation of it
            changes over time, as that of a whole clip.
        errors: mean absolute error over its annotated frames by target; None if none is annotated.
        annotated: number of frames with a prediction and an annotation of some target.
    """

    row: CorpusRow
    ensemble: EnsembleTables | None = None
    means: Mapping[Target, float] | None = None
    ccc: Mapping[Target, float] | None = None
    errors: Mapping[Target, float] | None = None
    annotated: int = 0

    @property
    def name(self) -> str:
        """Name of the sample."""
        return self.row.sample.name

    @property
    def split(self) -> str:
        """Split of the sample."""
        return self.row.sample.split

    @property
    def mean_ccc(self) -> float | None:
        """Mean CCC over the targets that have one; None if none has."""
        return math.fsum(self.ccc.values()) / len(self.ccc) if self.ccc else None

    @property
    def mean_error(self) -> float | None:
        """Mean absolute error over the annotated targets; None if none is annotated."""
        return math.fsum(self.errors.values()) / len(self.errors) if self.errors else None

    @property
    def rank(self) -> tuple[bool, float, float, tuple[bool, int, float]]:
        """Sort key: the lowest CCC first, then the largest error, then the most suspicious."""
        mean, error = self.mean_ccc, self.mean_error
        return mean is None, mean or 0.0, -(error or 0.0), self.row.suspicion


@dataclass(frozen=True)
class Pair:
    """A sample's predictions beside its annotation.

    Attributes:
        result: the sample.
        predicted: (frames, 2) in [-1, 1].
        annotated: (frames, 2), NaN where a target is not annotated; None without annotation.
    """

    result: SampleResult
    predicted: NDArray[np.float32]
    annotated: NDArray[np.float32] | None


def read_annotation(labels: Path) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Times in seconds, (frames,), and annotation, (frames, 2), NaN where there is none."""
    time_s, *targets, annotated = read_columns(labels, ["time_s", *TARGETS, "annotated"])
    values = np.stack(targets, axis=1).astype(np.float32)
    values[~annotated.astype(bool)] = np.nan
    return time_s, values


def read_results(
    corpus: Sequence[CorpusRow], ensembles: Sequence[EnsembleTables]
) -> Iterator[Pair | SampleResult]:
    """Read the samples one by one; a `Pair` of each that an ensemble predicted.

    Args:
        corpus: the samples.
        ensembles: ensembles in the order of the config; a sample belongs to the first that
            predicted it.
    """
    for row in corpus:
        name = row.sample.name
        ensemble = next((e for e in ensembles if name in e.table), None)
        if ensemble is None:
            yield SampleResult(row)
            continue
        predicted = ensemble.table.values(name)
        means = dict(zip(Target, predicted.mean(axis=0, dtype=np.float64).tolist(), strict=True))
        annotated = None
        ccc: dict[Target, float] = {}
        errors: dict[Target, float] = {}
        frames = 0
        if row.sample.labels is not None:
            annotated = read_annotation(row.sample.labels)[1]
            ccc = score_sample(predicted, annotated)
            errors = measure_errors(predicted, annotated)
            frames = int(np.isfinite(annotated).any(axis=1).sum())
        result = SampleResult(row, ensemble, means, ccc or None, errors or None, frames)
        yield Pair(result, predicted, annotated)


def score_sample(
    predicted: NDArray[np.floating], annotated: NDArray[np.floating]
) -> dict[Target, float]:
    """CCC of a sample by target, over the frames where the target is annotated.

    A target whose annotation is constant has none: it would be 0 whatever is predicted.

    Args:
        predicted: (frames, 2).
        annotated: (frames, 2), NaN where a target is not annotated.
    """
    scores = {}
    for column, target in enumerate(Target):
        valid = np.isfinite(annotated[:, column])
        if valid.any() and np.ptp(annotated[valid, column]) > 0:
            moments = CccAccumulator().update(predicted[:, column], annotated[:, column], valid)
            scores[target] = moments.ccc()
    return scores


def measure_errors(
    predicted: NDArray[np.floating], annotated: NDArray[np.floating]
) -> dict[Target, float]:
    """Mean absolute error of a sample by target, over the frames where the target is annotated.

    Args:
        predicted: (frames, 2).
        annotated: (frames, 2), NaN where a target is not annotated.
    """
    distances = np.abs(predicted.astype(np.float64) - annotated)
    known = np.isfinite(annotated)
    return {
        target: float(distances[known[:, column], column].mean())
        for column, target in enumerate(Target)
        if known[:, column].any()
    }


def choose_split(results: Sequence[SampleResult]) -> tuple[str, frozenset[str]]:
    """The part of the data that the overview shows: its name, and the splits that it consists of.

    Test samples if any is annotated, else those that folds held out, else validation samples.
    """
    found = {result.split for result in results if result.errors}
    if TEST in found:
        return TEST, frozenset({TEST})
    if TRAIN in found:  # a model predicts no sample that it was trained on
        return OUT_OF_FOLD, frozenset({TRAIN, "val"})
    return "val", frozenset({"val"})

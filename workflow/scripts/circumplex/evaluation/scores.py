"""CCC of models and ensembles on a split."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.labels import read_labels_table
from circumplex.ccc import CccAccumulator, find_annotated
from circumplex.predictions.table import PredictionTable
from circumplex.targets import Target


@dataclass(frozen=True)
class CccRow:
    """One number of the CCC table.

    Attributes:
        model: model or ensemble.
        split: what it was scored on.
        target: valence or arousal.
        ccc: over the concatenation of the split's annotated frames.
        frames: number of them.
        samples: number of samples that have any.
    """

    model: str
    split: str
    target: Target
    ccc: float
    frames: int
    samples: int


def evaluate(
    model: str,
    split: str,
    samples: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
) -> list[CccRow]:
    """Score predictions; a sample at a time, so memory does not grow with their number.

    Args:
        model: name for the rows.
        split: name for the rows.
        samples: a sample's predictions (frames, 2) and annotation (frames, 2), NaN where a frame
            is not annotated.

    Returns:
        a row for each target.

    Raises:
        ValueError: unequal lengths, a prediction that is not finite, or no annotated frame.
    """
    moments = {target: CccAccumulator() for target in Target}
    counted = 0
    for predictions, annotation in samples:
        if predictions.shape != annotation.shape:
            raise ValueError(f"predictions {predictions.shape}, annotation {annotation.shape}")
        valid = find_annotated(annotation)
        counted += bool(valid.any())
        for column, target in enumerate(Target):
            moments[target].update(predictions[:, column], annotation[:, column], valid)
    return [
        CccRow(model, split, target, of.ccc(), of.count, counted) for target, of in moments.items()
    ]


HELD_OUT: Mapping[str, frozenset[str]] = {
    "val": frozenset({"val"}),
    "test": frozenset({"test"}),
    "out of fold": frozenset({"train", "val"}),
}
"""What a scored split is made of, by the sheet's splits.

A table of predictions holds no sample that its model was trained on. What a fold's model predicts
of training and validation is the fold left out, so a fold's name stands for `OUT_OF_FOLD` too.
"""
OUT_OF_FOLD = HELD_OUT["out of fold"]


def score(
    table: PredictionTable,
    name: str,
    split: str,
    labels: Mapping[str, Path],
    splits: Mapping[str, str],
) -> list[CccRow]:
    """CCC of a model or ensemble; empty where it predicted no annotated sample of the split.

    Args:
        table: its predictions.
        name: for the rows.
        split: ``val``, ``test``, ``out of fold`` or the name of a fold.
        labels: labels tables by sample.
        splits: of the sheet, by sample.
    """
    wanted = HELD_OUT.get(split, OUT_OF_FOLD)
    samples = [s for s in table.samples if s in labels and splits.get(s) in wanted]
    return evaluate(name, split, pairs(table, samples, labels)) if samples else []


def pairs(
    table: PredictionTable, samples: Collection[str], labels: Mapping[str, Path]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Predictions and annotation of one sample after another, both (frames, 2)."""
    for sample in samples:
        yield table.values(sample), read_labels_table(labels[sample])

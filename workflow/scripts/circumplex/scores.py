"""Scoring tables of predictions against the annotations of a run."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.evaluation import CccRow, evaluate
from circumplex.labels import read_labels_table
from circumplex.prediction_tables import PredictionTable
from circumplex.store import Status, read_index

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


def labels_tables(indexes: Iterable[str], results: Path) -> dict[str, Path]:
    """Labels tables by sample, from the indexes of ``read_labels``."""
    return {
        sample: results / entry.file
        for index in indexes
        for sample, entry in read_index(Path(index)).items()
        if entry.status is Status.OK
    }


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

"""Score models and ensembles on a split by CCC, frame by frame and clip by clip."""

import math
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
    """CCC of a model or ensemble on a split, for one target.

    Attributes:
        model: name of the model or ensemble.
        split: split it was scored on.
        target: valence or arousal.
        ccc: CCC over the concatenation of the split's annotated frames, in [-1, 1].
        frames: number of frames that are annotated for the target.
        samples: number of samples with such frames.
        clip_ccc: CCC over these samples, each counted once: the mean prediction of its annotated
            frames against their mean annotation, which is its label where the clip has one; NaN
            of a single sample.
    """

    model: str
    split: str
    target: Target
    ccc: float
    frames: int
    samples: int
    clip_ccc: float


def evaluate(
    model: str,
    split: str,
    samples: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
) -> list[CccRow]:
    """Score predictions one sample at a time, so that memory does not grow with their number.

    Args:
        model: name of the model in the rows.
        split: name of the split in the rows.
        samples: for each sample its predictions (frames, 2) and annotation (frames, 2), NaN where
            a target is not annotated.

    Returns:
        One row per target that is annotated.

    Raises:
        ValueError: unequal lengths, a prediction that is not finite, or no annotated frame.
    """
    frames = {target: CccAccumulator() for target in Target}
    clips = {target: CccAccumulator() for target in Target}
    for predictions, annotation in samples:
        if predictions.shape != annotation.shape:
            raise ValueError(f"predictions {predictions.shape}, annotation {annotation.shape}")
        known = find_annotated(annotation)
        for column, target in enumerate(Target):
            valid = known[:, column]
            if not valid.any():
                continue
            predicted, annotated = predictions[valid, column], annotation[valid, column]
            frames[target].update(predicted, annotated)
            means = [float(np.mean(v, dtype=np.float64)) for v in (predicted, annotated)]
            clips[target].update(means[:1], means[1:])
    scored = [target for target in Target if frames[target].count] or list(Target)
    return [
        CccRow(
            model=model,
            split=split,
            target=target,
            ccc=frames[target].ccc(),
            frames=frames[target].count,
            samples=clips[target].count,
            clip_ccc=clips[target].ccc() if clips[target].count > 1 else math.nan,
        )
        for target in scored
    ]


HELD_OUT: Mapping[str, frozenset[str]] = {
    "val": frozenset({"val"}),
    "test": frozenset({"test"}),
    "out of fold": frozenset({"train", "val"}),
}
"""Which splits of the sheet each scored split contains.

A table of predictions holds no sample that its model was trained on. Of the training and
validation sets, a fold's model predicts only the held-out fold, so that the name of a fold selects
`OUT_OF_FOLD`.
"""
OUT_OF_FOLD = HELD_OUT["out of fold"]


def score(
    table: PredictionTable,
    name: str,
    split: str,
    labels: Mapping[str, Path],
    splits: Mapping[str, str],
) -> list[CccRow]:
    """CCC of a model or ensemble; empty if it predicted no annotated sample of the split.

    Args:
        table: predictions of the model or ensemble.
        name: name of the model or ensemble in the rows.
        split: ``val``, ``test``, ``out of fold`` or the name of a fold.
        labels: tables of labels by sample.
        splits: the sheet's split of each sample.
    """
    wanted = HELD_OUT.get(split, OUT_OF_FOLD)
    samples = [s for s in table.samples if s in labels and splits.get(s) in wanted]
    return evaluate(name, split, read_pairs(table, samples, labels)) if samples else []


def read_pairs(
    table: PredictionTable, samples: Collection[str], labels: Mapping[str, Path]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Read predictions and annotation, both (frames, 2), sample by sample."""
    for sample in samples:
        yield table.values(sample), read_labels_table(labels[sample])

"""CCC of models and ensembles on a split."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circumplex.metrics import CccAccumulator, Target, annotated


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
        valid = annotated(annotation)
        counted += bool(valid.any())
        for column, target in enumerate(Target):
            moments[target].update(predictions[:, column], annotation[:, column], valid)
    return [
        CccRow(model, split, target, of.ccc(), of.count, counted) for target, of in moments.items()
    ]

"""Scaling of features to mean 0 and deviation 1, over the training part of a fold or by group."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELATIVE_FLOOR = 1e-6
"""A deviation below this part of the mean is float32 rounding: the column is constant."""


@dataclass(frozen=True)
class Scaling:
    """(x - mean) * scale, column by column.

    Attributes:
        mean: (dimension,) float32.
        scale: (dimension,) float32, one over the deviation; 0 for a column that is constant over
            the training part, which thus gives 0 everywhere and never explodes.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, rows: NDArray[np.floating], out: NDArray[np.float32]) -> None:
        """Write scaled rows (frames, dimension) to ``out`` of the same shape."""
        np.subtract(rows, self.mean, out=out)
        out *= self.scale


@dataclass(frozen=True)
class GroupScaling:
    """Mean 0 and deviation 1 over the frames of each group, such as a speaker, without labels.

    Attributes:
        varies: (dimension,) bool, columns that vary within some group of the training part. All
            others give 0 in every group: the model has learnt nothing of them.
    """

    varies: NDArray[np.bool_]

    def fit(self, blocks: Iterable[NDArray[np.floating]]) -> Scaling:
        """Fit the scaling of one group.

        A column that is constant over the group gives 0, and so does a group of one frame. Of n
        frames no value is further from 0 than the root of n - 1, so that short groups are bounded.

        Args:
            blocks: (frames, dimension) of the group's samples that have the modality.
        """
        scaling = fit_scaling(blocks, len(self.varies))
        return Scaling(scaling.mean, scaling.scale * self.varies)


AnyScaling = Scaling | GroupScaling | None
"""How a feature is scaled: alike in all samples, by group, or not at all."""


def fit_group_scaling(
    groups: Iterable[Iterable[NDArray[np.floating]]], dimension: int
) -> GroupScaling:
    """Find the columns that vary within a group.

    Args:
        groups: for each group of the training part, blocks as for `fit_scaling`.
        dimension: number of columns.
    """
    varies = np.zeros(dimension, dtype=bool)
    for blocks in groups:
        varies |= fit_scaling(blocks, dimension).scale > 0
    return GroupScaling(varies)


def fit_scaling(blocks: Iterable[NDArray[np.floating]], dimension: int) -> Scaling:
    """Mean and population deviation in one pass, by blocks, merged in float64 (Chan et al. 1979).

    Args:
        blocks: (frames, dimension) of the training samples that have the modality.
        dimension: number of columns; with no frame at all, the mean is 0 and the scale 0.
    """
    count = 0
    mean, squares = np.zeros(dimension), np.zeros(dimension)
    for block in blocks:
        if len(block) == 0:
            continue
        values = block.astype(np.float64)
        block_mean = values.mean(axis=0)
        values -= block_mean
        total = count + len(values)
        shift = block_mean - mean
        squares += np.einsum("ij,ij->j", values, values)
        squares += shift**2 * (count * len(values) / total)
        mean += shift * (len(values) / total)
        count = total
    deviation = np.sqrt(squares / max(count, 1))
    varies = deviation > RELATIVE_FLOOR * np.abs(mean)
    scale = np.divide(1.0, deviation, out=np.zeros(dimension), where=varies)
    return Scaling(mean.astype(np.float32), np.minimum(scale, 1e30).astype(np.float32))

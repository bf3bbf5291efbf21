"""The training loss: one minus CCC, over all valid frames of a batch (eq. 5)."""

from enum import StrEnum

import torch
from torch import Tensor

MINIMUM_VARIANCE = 1e-12
"""Below this a target is constant: far under the variance of one annotation step in a batch."""


class Reduction(StrEnum):
    """Over valence and arousal: the paper sums, the published code takes the mean."""

    SUM = "sum"
    MEAN = "mean"


def ccc_loss(
    predictions: Tensor, targets: Tensor, reduction: Reduction = Reduction.SUM
) -> Tensor | None:
    """1 - CCC over the frames that are annotated, for valence and for arousal.

    A target that is constant over the batch has CCC 0 whatever is predicted, and no gradient: it
    counts as 1. With fewer than two annotated frames, or both targets constant, there is nothing
    to learn: the update is to be skipped, since Adam's momentum would move the weights.

    Args:
        predictions: (..., 2).
        targets: (..., 2), NaN in both where a frame is padded or not annotated.
        reduction: over the two targets.

    Returns:
        a scalar in [0, 4] (or [0, 2] for the mean), or none where the update is to be skipped.
    """
    valid = ~torch.isnan(targets).any(dim=-1)
    x, y = predictions[valid].float(), targets[valid].float()
    if len(y) < 2:
        return None
    dx, dy = x - x.mean(dim=0), y - y.mean(dim=0)
    variance = (dy * dy).mean(dim=0)
    varies = variance > MINIMUM_VARIANCE
    if not varies.any():
        return None
    covariance = (dx * dy).mean(dim=0)
    bias = x.mean(dim=0) - y.mean(dim=0)
    denominator = (dx * dx).mean(dim=0) + variance + bias * bias
    terms = 1 - 2 * covariance / denominator.clamp_min(MINIMUM_VARIANCE)
    terms = torch.where(varies, terms, torch.ones_like(terms))
    return terms.sum() if reduction is Reduction.SUM else terms.mean()

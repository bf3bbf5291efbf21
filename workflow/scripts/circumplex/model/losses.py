"""Training losses over all valid frames of a batch: one minus CCC (eq. 5), and variants."""

import torch
from torch import Tensor

from circumplex.config.training import Loss, Reduction

MINIMUM_VARIANCE = 1e-12
"""A target of less variance is constant: far less than that of one annotation step in a batch."""


def training_loss(
    predictions: Tensor,
    targets: Tensor,
    loss: Loss = Loss.CCC,
    reduction: Reduction = Reduction.SUM,
    mse_weight: float = 1.0,
) -> Tensor | None:
    """Compute the chosen loss over the annotated frames.

    Args:
        predictions: (..., 2).
        targets: (..., 2), NaN in both where a frame is padded or not annotated.
        loss: what to compute.
        reduction: over the two targets.
        mse_weight: weight of the squared error in `Loss.CCC_MSE`.

    Returns:
        a scalar, or none where the update is to be skipped; see `ccc_loss`.
    """
    if loss is Loss.BATCH_CCC:
        return _batch_ccc_loss(predictions, targets, reduction)
    concordance = ccc_loss(predictions, targets, reduction)
    if concordance is None or loss is Loss.CCC:
        return concordance
    valid = ~torch.isnan(targets).any(dim=-1)
    error = (predictions[valid].float() - targets[valid].float()).square().mean(dim=0)
    return concordance + mse_weight * _reduce(error, reduction)


def _batch_ccc_loss(predictions: Tensor, targets: Tensor, reduction: Reduction) -> Tensor | None:
    valid = ~torch.isnan(targets).any(dim=-1)
    if not valid.any():
        return None
    x, y = predictions[valid].float(), targets[valid].float()
    x_mean, y_mean = x.mean(dim=0), y.mean(dim=0)
    covariance = ((x - x_mean) * (y - y_mean)).mean(dim=0)
    spread = (x - x_mean).square().mean(dim=0) + (y - y_mean).square().mean(dim=0)
    return _reduce(1 - 2 * covariance / (spread + (x_mean - y_mean).square() + 1e-9), reduction)


def _reduce(terms: Tensor, reduction: Reduction) -> Tensor:
    return terms.sum() if reduction is Reduction.SUM else terms.mean()


def ccc_loss(
    predictions: Tensor, targets: Tensor, reduction: Reduction = Reduction.SUM
) -> Tensor | None:
    """Compute 1 - CCC over the annotated frames, for valence and for arousal (eq. 5).

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
    return _reduce(terms, reduction)

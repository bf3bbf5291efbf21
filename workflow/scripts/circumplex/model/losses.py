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
        targets: (..., 2), NaN where a frame is padded or a target not annotated.
        loss: what to compute.
        reduction: over the targets that are annotated.
        mse_weight: weight of the squared error in `Loss.CCC_MSE`.

    Returns:
        a scalar, or none where the update is to be skipped; see `ccc_loss`.
    """
    if loss is Loss.BATCH_CCC:
        return _batch_ccc_loss(predictions, targets, reduction)
    concordance = ccc_loss(predictions, targets, reduction)
    if concordance is None or loss is Loss.CCC:
        return concordance
    pairs = _annotated(predictions, targets, least=2)
    error = torch.cat([(x - y).square().mean(dim=0) for x, y in pairs])
    return concordance + mse_weight * _reduce(error, reduction)


def _annotated(predictions: Tensor, targets: Tensor, least: int) -> list[tuple[Tensor, Tensor]]:
    """Predictions and annotation of the frames that are annotated.

    Args:
        predictions: (..., 2).
        targets: (..., 2), NaN where a frame is padded or a target not annotated.
        least: number of frames from which on a target counts.

    Returns:
        One pair (frames, 2) where both targets are annotated in the same frames; else a pair
        (frames, 1) for each target that counts.
    """
    known = ~torch.isnan(targets)
    both = known.all(dim=-1)
    if torch.equal(both, known.any(dim=-1)):
        pairs = [(predictions[both].float(), targets[both].float())]
    else:
        pairs = [
            (predictions[..., k][mine].float()[:, None], targets[..., k][mine].float()[:, None])
            for k, mine in enumerate(known.unbind(dim=-1))
        ]
    return [(x, y) for x, y in pairs if len(y) >= least]


def _batch_ccc_loss(predictions: Tensor, targets: Tensor, reduction: Reduction) -> Tensor | None:
    pairs = _annotated(predictions, targets, least=1)
    if not pairs:
        return None
    return _reduce(torch.cat([_batch_terms(x, y) for x, y in pairs]), reduction)


def _batch_terms(x: Tensor, y: Tensor) -> Tensor:
    x_mean, y_mean = x.mean(dim=0), y.mean(dim=0)
    covariance = ((x - x_mean) * (y - y_mean)).mean(dim=0)
    spread = (x - x_mean).square().mean(dim=0) + (y - y_mean).square().mean(dim=0)
    return 1 - 2 * covariance / (spread + (x_mean - y_mean).square() + 1e-9)


def _reduce(terms: Tensor, reduction: Reduction) -> Tensor:
    return terms.sum() if reduction is Reduction.SUM else terms.mean()


def ccc_loss(
    predictions: Tensor, targets: Tensor, reduction: Reduction = Reduction.SUM
) -> Tensor | None:
    """Compute 1 - CCC over the annotated frames, for valence and for arousal (eq. 5).

    A target that is constant over the batch has CCC 0 whatever is predicted, and no gradient: it
    counts as 1. A target with fewer than two annotated frames does not count at all. If neither
    counts, or those that do are constant, there is nothing to learn: the update is to be skipped,
    since Adam's momentum would move the weights.

    Args:
        predictions: (..., 2).
        targets: (..., 2), NaN where a frame is padded or a target not annotated.
        reduction: over the targets that count.

    Returns:
        a scalar in [0, 4] (or [0, 2] for the mean), or none where the update is to be skipped.
    """
    found = [_ccc_terms(x, y) for x, y in _annotated(predictions, targets, least=2)]
    if not any(bool(varies.any()) for _, varies in found):
        return None
    return _reduce(torch.cat([terms for terms, _ in found]), reduction)


def _ccc_terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """1 - CCC of each column of (frames, columns), and whether its annotation varies."""
    dx, dy = x - x.mean(dim=0), y - y.mean(dim=0)
    variance = (dy * dy).mean(dim=0)
    varies = variance > MINIMUM_VARIANCE
    covariance = (dx * dy).mean(dim=0)
    bias = x.mean(dim=0) - y.mean(dim=0)
    denominator = (dx * dx).mean(dim=0) + variance + bias * bias
    terms = 1 - 2 * covariance / denominator.clamp_min(MINIMUM_VARIANCE)
    return torch.where(varies, terms, torch.ones_like(terms)), varies

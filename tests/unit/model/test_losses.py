import numpy as np
import pytest
import torch

from circumplex.ccc import ccc
from circumplex.config.training import Loss, Reduction
from circumplex.model.losses import ccc_loss, training_loss


def value_of(loss):
    return float(loss.detach())


def batch(seed=0):
    draw = torch.Generator().manual_seed(seed)
    predictions = torch.rand(3, 7, 2, generator=draw) * 2 - 1
    targets = torch.rand(3, 7, 2, generator=draw) * 2 - 1
    targets[1, 4:] = torch.nan
    targets[2, 0, 1] = torch.nan  # annotated for valence alone
    return predictions.requires_grad_(), targets


def columns(predictions, targets):
    """Predictions and annotation of each target's annotated frames."""
    x, y = predictions.detach().numpy(), targets.numpy()
    known = ~np.isnan(y)
    return [(x[..., k][known[..., k]], y[..., k][known[..., k]]) for k in range(2)]


def test_it_is_one_minus_the_metric_over_all_valid_frames():
    predictions, targets = batch()
    expected = [1 - ccc(x, y) for x, y in columns(predictions, targets)]
    assert value_of(ccc_loss(predictions, targets)) == pytest.approx(sum(expected), abs=1e-6)
    mean = value_of(ccc_loss(predictions, targets, Reduction.MEAN))
    assert mean == pytest.approx(sum(expected) / 2, abs=1e-6)


def test_gradient_against_differences_and_none_from_masked_frames():
    predictions, targets = batch()
    double = predictions.detach().double().requires_grad_()
    loss = ccc_loss(predictions, targets)
    loss.backward()
    assert torch.all(predictions.grad[torch.isnan(targets)] == 0)

    def value(x):
        return sum(1 - ccc(a, b) for a, b in columns(x, targets.double()))

    for index in [(0, 0, 0), (0, 6, 1), (2, 3, 0), (2, 0, 0)]:
        up, down = double.detach().clone(), double.detach().clone()
        up[index] += 1e-5
        down[index] -= 1e-5
        slope = (value(up) - value(down)) / 2e-5
        assert float(predictions.grad[index]) == pytest.approx(slope, abs=1e-4)


def test_perfect_and_inverted():
    _, targets = batch()
    assert float(ccc_loss(targets.nan_to_num(), targets)) == pytest.approx(0, abs=1e-6)
    centred = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]])
    assert float(ccc_loss(-centred, centred)) == pytest.approx(4)


@pytest.mark.parametrize(
    "targets",
    [
        torch.full((1, 4, 2), torch.nan),
        torch.cat([torch.full((1, 3, 2), torch.nan), torch.ones(1, 1, 2)], dim=1),
        torch.full((1, 4, 2), 0.3),
    ],
)
def test_nothing_to_learn_skips_the_update(targets):
    assert ccc_loss(torch.zeros(1, 4, 2, requires_grad=True), targets) is None


def test_one_constant_target_counts_one_without_gradient():
    predictions = torch.rand(1, 6, 2, generator=torch.Generator().manual_seed(0))
    predictions = predictions.requires_grad_()
    targets = predictions.detach().clone()
    targets[..., 1] = 0.3
    loss = ccc_loss(predictions, targets)
    loss.backward()
    assert value_of(loss) == pytest.approx(1, abs=1e-6)
    assert torch.all(predictions.grad[..., 1] == 0)


def test_constant_predictions_equal_to_the_mean_stay_finite():
    targets = torch.tensor([[[-0.5, -0.5], [0.5, 0.5]]])
    predictions = torch.zeros(1, 2, 2, requires_grad=True)
    loss = ccc_loss(predictions, targets)
    loss.backward()
    assert value_of(loss) == pytest.approx(2)
    assert torch.isfinite(predictions.grad).all()
    assert predictions.grad.abs().sum() > 0


@pytest.mark.parametrize("reduction", list(Reduction))
def test_the_losses_against_numpy(reduction):
    predictions, targets = batch()
    combine = np.sum if reduction is Reduction.SUM else np.mean
    pairs = columns(predictions, targets)
    concordance = [ccc(x, y) for x, y in pairs]
    squared = [((x - y) ** 2).mean() for x, y in pairs]
    expected = {
        Loss.CCC: combine([1 - c for c in concordance]),
        Loss.BATCH_CCC: combine([1 - c for c in concordance]),
        Loss.CCC_MSE: combine([1 - c + 0.5 * e for c, e in zip(concordance, squared, strict=True)]),
    }
    for loss, value in expected.items():
        result = training_loss(predictions, targets, loss, reduction, 0.5)
        assert float(result.detach()) == pytest.approx(value, abs=1e-5)
        (gradient,) = torch.autograd.grad(result, predictions)
        assert not gradient[torch.isnan(targets)].any()
        assert gradient[~torch.isnan(targets)].any()


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("reduction", list(Reduction))
def test_a_target_that_is_not_annotated_does_not_count(loss, reduction):
    predictions, targets = batch()
    targets[..., 1] = torch.nan
    result = training_loss(predictions, targets, loss, reduction, 0.5)
    ((x, y), _) = columns(predictions, targets)
    squared = 0.5 * ((x - y) ** 2).mean() if loss is Loss.CCC_MSE else 0.0
    assert value_of(result) == pytest.approx(1 - ccc(x, y) + squared, abs=1e-5)
    (gradient,) = torch.autograd.grad(result, predictions)
    assert not gradient[..., 1].any()
    targets[..., 0] = torch.nan
    assert training_loss(predictions, targets, loss, reduction, 0.5) is None


@pytest.mark.parametrize("reduction", list(Reduction))
def test_both_targets_annotated_give_the_bits_of_one_computation(reduction):
    """Aff-Wild2 marks frames for both targets at once: its numbers must not move."""
    predictions, targets = batch()
    targets[2, 0] = torch.nan
    valid = ~torch.isnan(targets).any(dim=-1)
    x, y = predictions[valid], targets[valid]
    dx, dy = x - x.mean(dim=0), y - y.mean(dim=0)
    variance, bias = (dy * dy).mean(dim=0), x.mean(dim=0) - y.mean(dim=0)
    terms = 1 - 2 * (dx * dy).mean(dim=0) / ((dx * dx).mean(dim=0) + variance + bias * bias)
    expected = terms.sum() if reduction is Reduction.SUM else terms.mean()
    found = ccc_loss(predictions, targets, reduction)
    assert torch.equal(found, expected)
    gradients = [torch.autograd.grad(of, predictions)[0] for of in (found, expected)]
    assert torch.equal(*gradients)


def test_batch_ccc_knows_no_constant_target_and_no_empty_batch():
    predictions, targets = batch()
    targets[..., 0] = 0.3
    value = training_loss(predictions, targets, Loss.BATCH_CCC)
    expected = ccc_loss(predictions, targets)
    assert float(value.detach()) == pytest.approx(float(expected.detach()), abs=1e-5)
    still = torch.full_like(targets, 0.3)
    assert ccc_loss(predictions, still) is None
    assert float(training_loss(predictions, still, Loss.BATCH_CCC).detach()) == pytest.approx(2)
    assert (
        training_loss(predictions, torch.full_like(targets, float("nan")), Loss.BATCH_CCC) is None
    )
    # Predicting a constant target to the last bit is no division by zero.
    assert float(training_loss(still, still, Loss.BATCH_CCC)) == pytest.approx(2)

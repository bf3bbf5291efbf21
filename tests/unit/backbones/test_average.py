import pytest
import torch
from torch import nn

from circumplex.backbones.average import WeightAverage


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_average_after_each_step():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = WeightAverage(0.5, weights_of(model))
    expected = 0.0
    for step, value in ((1, 1.0), (2, 3.0), (100, -2.0)):
        nn.init.constant_(model.weight, value)
        average.update(model, step)
        decay = {1: 2 / 11, 2: 3 / 12, 100: 0.5}[step]  # (1 + n) / (10 + n), at most 0.5
        expected = decay * expected + (1 - decay) * value
        assert float(average.weights["weight"]) == pytest.approx(expected)


def test_counts_of_norms_are_copied():
    model = nn.BatchNorm1d(2)
    average = WeightAverage(0.9, weights_of(model))
    model.num_batches_tracked.fill_(7)
    model.running_mean.fill_(1.0)
    average.update(model, 10_000)
    assert int(average.weights["num_batches_tracked"]) == 7
    torch.testing.assert_close(average.weights["running_mean"], torch.full((2,), 0.1))


def test_without_a_decay_there_is_no_average():
    model = nn.Linear(1, 1)
    start = weights_of(model)
    average = WeightAverage(None, start)
    nn.init.constant_(model.weight, 5.0)
    average.update(model, 1)
    assert not average.is_on
    assert average.weights["weight"] is start["weight"]

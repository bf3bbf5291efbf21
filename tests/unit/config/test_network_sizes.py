"""Sizes by the options, against the networks themselves."""

import pytest
import torch

from circumplex.config.encoders.registry import encoder_names, read_encoder
from circumplex.config.network_sizes import densenet_size, iresnet_size
from circumplex.networks.densenet import DenseNetBC
from circumplex.networks.iresnet import FACTORIES, Depth
from small_networks import small_network, small_options


def counted(network, image):
    """Multiplications of one image in convolutions and linear layers, and numbers in these."""
    products = 0

    def count(module, _, output):
        nonlocal products
        products += module.weight.numel() * (output[0, 0].numel() if output.dim() == 4 else 1)

    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    for layer in layers:
        layer.register_forward_hook(count)
    with torch.inference_mode():
        network.eval()(image)
    return products, sum(layer.weight.numel() for layer in layers)


@pytest.mark.parametrize(("depth", "channels"), [(18, 16), (50, 8)])
def test_iresnets(depth, channels):
    network = FACTORIES[Depth(depth)](channels)
    assert iresnet_size(depth, channels) == counted(network, torch.zeros(1, 3, 112, 112))


def test_the_papers_iresnet_has_the_published_size():
    products, weights = iresnet_size(100, 64)
    assert products == pytest.approx(12.1e9, rel=0.02)
    assert weights == pytest.approx(65.2e6, rel=0.01)


@pytest.mark.parametrize("blocks", [(16, 16, 16), (6, 9, 22)])
def test_densenets(blocks):
    found = densenet_size(blocks)
    assert found == pytest.approx(counted(DenseNetBC(blocks), torch.zeros(1, 1, 64, 64)), rel=0.01)


@pytest.mark.parametrize("kind", sorted(encoder_names()))
def test_encoders(kind):
    options = read_encoder({**small_options(kind), "hidden": 64, "heads": 2})
    network = small_network(kind, dimension=100, hidden=64)
    numbers = sum(value.numel() for value in network.parameters() if value.dim() > 1)
    assert options.weights(100) == pytest.approx(numbers, rel=0.05)

"""The DenseNet against the same arithmetic written out with plain functions."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.densenet import _DenseBlock, _Transition

from circumplex.config.densenet_blocks import check_blocks
from circumplex.networks import densenet
from networks_by_hand import (
    densenet_by_hand,
    norm,
    unlike_initial,
)


@torch.inference_mode()
def test_densenet_computes_what_its_blocks_say() -> None:
    network = densenet.DenseNetBC()
    state = unlike_initial(network)
    images = torch.randn(2, 1, 64, 64)
    features = network.embed(images)
    assert features.shape == (2, 342)
    torch.testing.assert_close(features, densenet_by_hand(images, state), rtol=1e-3, atol=1e-4)
    logits = features @ state["classifier.weight"].T + state["classifier.bias"]
    torch.testing.assert_close(network(images), logits)


@torch.inference_mode()
def test_densenet_is_torchvisions_blocks_behind_a_stem_of_its_own() -> None:
    network = densenet.DenseNetBC()
    state = unlike_initial(network, seed=2)
    block = partial(_DenseBlock, num_layers=16, bn_size=4, growth_rate=12, drop_rate=0.0)
    parts = {
        "denseblock1": block(num_input_features=24),
        "transition1": _Transition(216, 108),
        "denseblock2": block(num_input_features=108),
        "transition2": _Transition(300, 150),
        "denseblock3": block(num_input_features=150),
    }
    images = torch.randn(2, 1, 64, 64)
    x = F.conv2d(images, state["features.conv0.weight"], stride=2, padding=1)
    for name, part in parts.items():
        own = f"features.{name}."
        part.load_state_dict(
            {key.removeprefix(own): value for key, value in state.items() if key.startswith(own)}
        )
        x = part.eval()(x)
    x = norm(x, state, "features.norm3").relu().mean((2, 3))
    torch.testing.assert_close(network.embed(images), x, rtol=1e-4, atol=1e-5)


def test_densenet_has_nothing_beyond_what_is_computed() -> None:
    names = set(densenet.DenseNetBC().state_dict())
    stems = {name.split(".")[1] for name in names if name.startswith("features.")}
    blocks = {f"denseblock{number}" for number in (1, 2, 3)}
    assert stems == {"conv0", *blocks, "transition1", "transition2", "norm3"}
    assert names - {n for n in names if n.startswith("features.")} == {
        "classifier.weight",
        "classifier.bias",
    }


@torch.inference_mode()
@pytest.mark.parametrize("blocks", [(6, 9, 22), (2, 5, 25), (16, 16, 16)])
def test_a_densenet_of_other_blocks_has_as_many_values(blocks) -> None:
    check_blocks(blocks)
    network = densenet.DenseNetBC(blocks)
    layers = [len(getattr(network.features, f"denseblock{number}")) for number in (1, 2, 3)]
    assert layers == list(blocks)
    assert network.embed(torch.randn(2, 1, 64, 64)).shape == (2, 342)

"""The networks against the same arithmetic written out with plain functions."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.models.densenet import _DenseBlock, _Transition

from circumplex.config.densenet_blocks import check_blocks
from circumplex.networks import densenet, iresnet, vggish
from networks_by_hand import (
    VGGISH_CONVOLUTIONS,
    VGGISH_LINEARS,
    arcface_shapes,
    densenet_by_hand,
    iresnet_by_hand,
    log_mel_by_hand,
    norm,
    unlike_initial,
    vggish_by_hand,
)


@torch.inference_mode()
def test_iresnet_computes_what_its_units_say() -> None:
    network = iresnet.iresnet18()
    state = unlike_initial(network)
    faces = torch.rand(2, 3, 112, 112) * 2 - 1
    expected = iresnet_by_hand(faces, state, (2, 2, 2, 2))
    torch.testing.assert_close(network(faces), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("factory", "units"),
    [
        (iresnet.iresnet18, (2, 2, 2, 2)),
        (iresnet.iresnet34, (3, 4, 6, 3)),
        (iresnet.iresnet50, (3, 4, 14, 3)),
        (iresnet.iresnet100, (3, 13, 30, 3)),
    ],
)
def test_iresnet_is_named_as_arcface_names_it(factory, units) -> None:
    with torch.device("meta"):
        network = factory()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes == arcface_shapes(units)


def test_iresnet100_has_the_published_size() -> None:
    with torch.device("meta"):
        network = iresnet.iresnet100()
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(65.2, abs=0.05)


@pytest.mark.parametrize("factory", [iresnet.iresnet18, iresnet.iresnet50])
@torch.inference_mode()
def test_untrained_iresnet_keeps_the_scale_and_tells_faces_apart(factory) -> None:
    torch.manual_seed(3)
    network = factory().eval()
    smooth = F.interpolate(torch.rand(4, 3, 7, 7) * 2 - 1, size=112, mode="bilinear")
    embeddings = network(smooth)
    assert 0.2 < embeddings.std() < 5
    assert embeddings.std(0).mean() > 0.1


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


@torch.inference_mode()
def test_an_iresnet_of_fewer_channels_computes_what_its_units_say() -> None:
    network = iresnet.iresnet18(16)
    state = unlike_initial(network)
    assert [state[f"layer{stage}.0.conv2.weight"].shape[0] for stage in (1, 2, 3, 4)] == [
        *(16, 32, 64, 128)
    ]
    faces = torch.rand(2, 3, 112, 112) * 2 - 1
    expected = iresnet_by_hand(faces, state, (2, 2, 2, 2))
    assert expected.shape == (2, 512)
    torch.testing.assert_close(network(faces), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.5, 3.0])
def test_log_mel_follows_the_published_parameters(level: float) -> None:
    wave = np.random.default_rng(0).normal(0, 1, 15600) * level
    example = vggish.LogMel()(torch.from_numpy(wave).float().unsqueeze(0))
    assert example.shape == (1, 1, 96, 64)
    by_hand = log_mel_by_hand(wave.astype(np.float32).astype(np.float64))
    assert np.abs(example[0, 0].numpy() - by_hand).max() < 1e-5


@torch.inference_mode()
def test_vggish_is_named_and_computes_as_the_common_port() -> None:
    network = vggish.VGGish()
    state = unlike_initial(network)
    assert {name.rsplit(".", 1)[0] for name in state} == {
        *(f"features.{k}" for k in VGGISH_CONVOLUTIONS),
        *(f"embeddings.{k}" for k in VGGISH_LINEARS),
    }
    examples = torch.randn(2, 1, 96, 64)
    expected = vggish_by_hand(examples, state)
    assert expected.shape == (2, 128)
    assert expected.std() > 0
    torch.testing.assert_close(network(examples), expected, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_postprocessor_whitens_clips_and_quantises() -> None:
    postprocessor = vggish.Postprocessor()
    state = unlike_initial(postprocessor)
    embeddings = torch.randn(3, 128) * 2
    matrix = state["pca_eigen_vectors"].double().numpy()
    means = state["pca_means"].double().numpy()
    whitened = np.stack([matrix @ (row - means) for row in embeddings.double().numpy()])
    expected = np.round((np.clip(whitened, -2, 2) + 2) * 63.75)
    assert 0 in expected
    assert 255 in expected
    found = postprocessor(embeddings).numpy()
    assert np.abs(found - expected).max() <= 1  # float32 may fall on the other side of a half
    assert np.mean(found != expected) < 0.01

"""The networks against the same arithmetic written out with plain functions."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.densenet import _DenseBlock, _Transition

from circumplex.densenet_blocks import check_blocks
from circumplex.networks import densenet, iresnet, vggish

State = dict[str, torch.Tensor]


def unlike_initial(network: nn.Module, seed: int = 0) -> State:
    """Give every parameter and statistic a value of its own, so that none can be mixed up."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif tensor.dim() == 1:
            tensor.copy_(0.2 + 0.3 * torch.rand(tensor.shape, generator=generator))
        elif tensor.is_floating_point():
            fan_in = tensor[0].numel()
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / math.sqrt(fan_in))
    network.eval()
    return network.state_dict()


def norm(x: torch.Tensor, state: State, name: str) -> torch.Tensor:
    shape = (1, -1) + (1,) * (x.dim() - 2)
    mean, variance, weight, bias = (
        state[f"{name}.{part}"].view(shape)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias


def prelu(x: torch.Tensor, state: State, name: str) -> torch.Tensor:
    return torch.where(x > 0, x, x * state[f"{name}.weight"].view(1, -1, 1, 1))


def iresnet_by_hand(x: torch.Tensor, state: State, units: tuple[int, ...]) -> torch.Tensor:
    x = F.conv2d(x, state["conv1.weight"], padding=1)
    x = prelu(norm(x, state, "bn1"), state, "prelu")
    for stage, count in enumerate(units, 1):
        for unit in range(count):
            name, stride = f"layer{stage}.{unit}", 1 if unit else 2
            y = F.conv2d(norm(x, state, f"{name}.bn1"), state[f"{name}.conv1.weight"], padding=1)
            y = prelu(norm(y, state, f"{name}.bn2"), state, f"{name}.prelu")
            y = F.conv2d(y, state[f"{name}.conv2.weight"], padding=1, stride=stride)
            if unit == 0:
                x = F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=2)
                x = norm(x, state, f"{name}.downsample.1")
            x = x + norm(y, state, f"{name}.bn3")
    x = norm(x, state, "bn2").reshape(len(x), -1) @ state["fc.weight"].T + state["fc.bias"]
    return norm(x, state, "features")


@torch.inference_mode()
def test_iresnet_computes_what_its_units_say() -> None:
    network = iresnet.iresnet18()
    state = unlike_initial(network)
    faces = torch.rand(2, 3, 112, 112) * 2 - 1
    expected = iresnet_by_hand(faces, state, (2, 2, 2, 2))
    torch.testing.assert_close(network(faces), expected, rtol=1e-3, atol=1e-4)


def arcface_shapes(units: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an ArcFace checkpoint."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add_norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["conv1.weight"] = (64, 3, 3, 3)
    add_norm("bn1", 64)
    shapes["prelu.weight"] = (64,)
    inputs = 64
    for stage, (outputs, count) in enumerate(zip((64, 128, 256, 512), units, strict=True), 1):
        for unit in range(count):
            name = f"layer{stage}.{unit}"
            add_norm(f"{name}.bn1", inputs)
            shapes[f"{name}.conv1.weight"] = (outputs, inputs, 3, 3)
            add_norm(f"{name}.bn2", outputs)
            shapes[f"{name}.prelu.weight"] = (outputs,)
            shapes[f"{name}.conv2.weight"] = (outputs, outputs, 3, 3)
            add_norm(f"{name}.bn3", outputs)
            if unit == 0:
                shapes[f"{name}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                add_norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    add_norm("bn2", 512)
    shapes["fc.weight"], shapes["fc.bias"] = (512, 25088), (512,)
    add_norm("features", 512)
    return shapes


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


def densenet_by_hand(x: torch.Tensor, state: State) -> torch.Tensor:
    x = F.conv2d(x, state["features.conv0.weight"], stride=2, padding=1)
    for block in (1, 2, 3):
        for layer in range(1, 17):
            name = f"features.denseblock{block}.denselayer{layer}"
            y = F.conv2d(norm(x, state, f"{name}.norm1").relu(), state[f"{name}.conv1.weight"])
            y = norm(y, state, f"{name}.norm2").relu()
            x = torch.cat([x, F.conv2d(y, state[f"{name}.conv2.weight"], padding=1)], 1)
        if block < 3:
            name = f"features.transition{block}"
            x = F.conv2d(norm(x, state, f"{name}.norm").relu(), state[f"{name}.conv.weight"])
            x = F.avg_pool2d(x, 2)
    assert x.shape[1:] == (342, 8, 8)
    return norm(x, state, "features.norm3").relu().mean((2, 3))


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
    check_blocks(blocks, "here")
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


def log_mel_by_hand(wave: np.ndarray) -> np.ndarray:
    """The published front end with an explicit Fourier sum and HTK's other formula of the mel."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([wave[160 * k : 160 * k + 400] * window for k in range(96)])
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(400), np.arange(257)) / 512)
    magnitudes = np.abs(frames @ fourier)

    def mel(hertz):
        return 2595 * np.log10(1 + hertz / 700)

    edges = np.linspace(mel(125), mel(7500), 66)
    bands = np.zeros((257, 64))
    for k in range(1, 257):
        for band in range(64):
            left, centre, right = edges[band : band + 3]
            position = mel(k * 16000 / 512)
            if left < position <= centre:
                bands[k, band] = (position - left) / (centre - left)
            elif centre < position < right:
                bands[k, band] = (right - position) / (right - centre)
    return np.log(magnitudes @ bands + 0.01)


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.5, 3.0])
def test_log_mel_follows_the_published_parameters(level: float) -> None:
    wave = np.random.default_rng(0).normal(0, 1, 15600) * level
    example = vggish.LogMel()(torch.from_numpy(wave).float().unsqueeze(0))
    assert example.shape == (1, 1, 96, 64)
    by_hand = log_mel_by_hand(wave.astype(np.float32).astype(np.float64))
    assert np.abs(example[0, 0].numpy() - by_hand).max() < 1e-5


VGGISH_CONVOLUTIONS, VGGISH_LINEARS = (0, 3, 6, 8, 11, 13), (0, 2, 4)


def vggish_by_hand(x: torch.Tensor, state: State) -> torch.Tensor:
    for k in VGGISH_CONVOLUTIONS:
        x = F.conv2d(x, state[f"features.{k}.weight"], state[f"features.{k}.bias"], padding=1)
        x = x.relu()
        if k in (0, 3, 8, 13):
            x = F.max_pool2d(x, 2)
    x = torch.stack([x[:, :, row, column] for row in range(6) for column in range(4)], 1)
    x = x.flatten(1)  # rows, columns, channels: TensorFlow's order
    for k in VGGISH_LINEARS:
        x = (x @ state[f"embeddings.{k}.weight"].T + state[f"embeddings.{k}.bias"]).relu()
    return x


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

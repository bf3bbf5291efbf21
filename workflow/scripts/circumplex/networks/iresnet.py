"""ArcFace's improved residual network, used by the ``iresnet`` and ``fau`` features.

Section 3.2.1 of the paper; Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition". Parameters and buffers are named as in the ArcFace reference implementation, so that
its published checkpoints load strictly.
"""

import math
from enum import IntEnum

import torch
from torch import nn

FEATURES = 512
INPUT_SIZE = 112  # side of the aligned face, in pixels
CHANNELS = 64  # of the first stage; each stage halves the side, and has twice the channels
SLOPE = 0.25  # initial slope of PReLU


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """Convolution without bias that keeps the side, or halves it with stride 2."""
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


class Unit(nn.Module):
    """BN, 3x3 conv, BN, PReLU, 3x3 conv (with the stride), BN; no activation after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv(inputs, outputs, 3)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs, init=SLOPE)
        self.conv2 = conv(outputs, outputs, 3, stride)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, inputs, side, side) to (batch, outputs, side / stride, side / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        total: torch.Tensor = self.bn3(self.conv2(y)) + shortcut
        return total


class IResNet(nn.Module):
    """Embeds aligned faces (batch, 3, 112, 112), values in [-1, 1], as (batch, 512).

    Args:
        units: number of units of each of the four stages.
        channels: of the first stage; ArcFace's networks have 64.
    """

    def __init__(self, units: tuple[int, int, int, int], channels: int = CHANNELS) -> None:
        super().__init__()
        first, second, third, last = (channels * 2**stage for stage in range(4))
        self.conv1 = conv(3, first, 3)
        self.bn1 = nn.BatchNorm2d(first)
        self.prelu = nn.PReLU(first, init=SLOPE)
        self.layer1 = self._stage(first, first, units[0])
        self.layer2 = self._stage(first, second, units[1])
        self.layer3 = self._stage(second, third, units[2])
        self.layer4 = self._stage(third, last, units[3])
        self.bn2 = nn.BatchNorm2d(last)
        self.fc = nn.Linear(last * (INPUT_SIZE // 16) ** 2, FEATURES)
        self.features = nn.BatchNorm1d(FEATURES)
        self._initialise(sum(units))

    @staticmethod
    def _stage(inputs: int, outputs: int, units: int) -> nn.Sequential:
        first = Unit(inputs, outputs, stride=2)
        return nn.Sequential(first, *(Unit(outputs, outputs, stride=1) for _ in range(units - 1)))

    def _initialise(self, units: int) -> None:
        """Keep the scale of the values through any depth, whatever the norms have seen.

        Each residual branch is damped by 1 / sqrt(units): with norms that have no statistics
        yet, the sum would otherwise double its variance with every unit, 2^49 for 100 layers.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            elif isinstance(module, Unit):
                nn.init.constant_(module.bn3.weight, 1 / math.sqrt(units))
        for module in self.modules():
            if isinstance(module, Unit):
                nn.init.kaiming_normal_(module.conv2.weight, a=SLOPE)
        nn.init.kaiming_normal_(self.fc.weight, nonlinearity="linear")
        nn.init.zeros_(self.fc.bias)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Embeddings (batch, 512)."""
        x = self.prelu(self.bn1(self.conv1(faces)))  # (batch, channels, 112, 112)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (batch, 8 channels, 7, 7)
        embeddings: torch.Tensor = self.features(self.fc(self.bn2(x).flatten(1)))
        return embeddings


def iresnet18(channels: int = CHANNELS) -> IResNet:
    """18 layers, for trials."""
    return IResNet((2, 2, 2, 2), channels)


def iresnet34(channels: int = CHANNELS) -> IResNet:
    """34 layers."""
    return IResNet((3, 4, 6, 3), channels)


def iresnet50(channels: int = CHANNELS) -> IResNet:
    """50 layers."""
    return IResNet((3, 4, 14, 3), channels)


def iresnet100(channels: int = CHANNELS) -> IResNet:
    """100 layers, the paper's network; it has 65.2 M parameters with 64 channels."""
    return IResNet((3, 13, 30, 3), channels)


class Depth(IntEnum):
    """Layers of the network."""

    R18 = 18
    R34 = 34
    R50 = 50
    R100 = 100


FACTORIES = {
    Depth.R18: iresnet18,
    Depth.R34: iresnet34,
    Depth.R50: iresnet50,
    Depth.R100: iresnet100,
}

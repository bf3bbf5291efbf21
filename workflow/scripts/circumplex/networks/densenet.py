"""DenseNet-BC; with 100 layers, it is the network of the ``densenet`` expression feature.

Section 3.2.1 of the paper; Huang et al., "Densely Connected Convolutional Networks".
"""

from collections import OrderedDict

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models import DenseNet

from circumplex.config.densenet_blocks import BLOCKS, GROWTH, STEM

INPUT_SIZE = 64  # side of the grey input image, in pixels
EXPRESSIONS = 8  # neutral, happy, surprise, sad, anger, disgust, fear, contempt


class DenseNetBC(nn.Module):
    """Growth 12, three blocks, bottleneck 4, compression 0.5.

    Three things differ from torchvision's class, whose blocks and names this takes: a 3x3 stem of
    stride 2 on one channel, nothing between the stem and the first block, and a last norm called
    ``norm3`` since there are three blocks.

    Args:
        blocks: layers of each block; as `circumplex.config.densenet_blocks.check_blocks` allows.
    """

    def __init__(self, blocks: tuple[int, int, int] = BLOCKS) -> None:
        super().__init__()
        body = DenseNet(GROWTH, blocks, STEM, num_classes=EXPRESSIONS)
        parts: OrderedDict[str, nn.Module] = OrderedDict(body.features.named_children())
        for name in ("conv0", "norm0", "relu0", "pool0"):
            del parts[name]
        parts["norm3"] = parts.pop("norm5")
        conv0 = nn.Conv2d(1, STEM, kernel_size=3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(conv0.weight)
        self.features = nn.Sequential(OrderedDict(conv0=conv0, **parts))
        self.classifier: nn.Module = body.classifier

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Features (batch, 342) of normalised grey images (batch, 1, 64, 64)."""
        maps = torch.relu(self.features(images))  # (batch, 342, 8, 8)
        return nn.functional.avg_pool2d(maps, kernel_size=8).flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 8) of the expression classes."""
        logits: torch.Tensor = self.classifier(self.embed(images))
        return logits


def grey_image(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert an RGB crop to the network's grey input (64, 64) uint8, rounded as in training."""
    size = (INPUT_SIZE, INPUT_SIZE)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)

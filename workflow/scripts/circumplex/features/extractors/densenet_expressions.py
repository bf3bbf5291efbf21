"""Probabilities of eight expressions by a DenseNet, on face crops."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.config.extractors.densenet_expressions import EXPRESSIONS, Options
from circumplex.features.extractors.densenet import DenseNetExtractor
from circumplex.networks.densenet import DenseNetBC

LEFT, TOP, SIDE = 6, 14, 98
"""Square of an aligned crop, in pixels, that shows a face as large and as high as FER+'s images do.

By the least-squares similarity from ArcFace's five points, which crops are aligned to, to their
means on 341 of FER+'s training images (MTCNN; eyes 23.5 of 64 pixels apart, at a height of 24.5).
"""
RESOLUTION = 48
"""Side of FER+'s images, in pixels, which training enlarges to the network's input."""


class Probabilities(torch.nn.Module):
    """Grey images (batch, 1, 64, 64), 0 to 255, to probabilities (batch, 8)."""

    def __init__(self, network: DenseNetBC, mean: float, deviation: float) -> None:
        super().__init__()
        self._network, self._mean, self._deviation = network, mean, deviation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise, and classify the image and its mirror image; the mean of both."""
        normalised = (images.float() - self._mean) / self._deviation
        logits: torch.Tensor = self._network(torch.cat([normalised, normalised.flip(3)]))
        given, mirrored = logits.float().softmax(dim=1).chunk(2)
        return (given + mirrored) / 2


class DenseNetExpressionsExtractor(DenseNetExtractor):
    """Classifies the expressions of aligned faces.

    Args:
        options: of the feature.
        device: PyTorch's name of it.
    """

    name = "densenet_expressions"
    dimension = len(EXPRESSIONS)
    columns = EXPRESSIONS
    outputs = Probabilities

    def prepare(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB crop (112, 112, 3) as grey image (64, 64), as sharp and framed as in training."""
        framed = np.ascontiguousarray(crop[TOP : TOP + SIDE, LEFT : LEFT + SIDE])
        small = cv2.resize(framed, (RESOLUTION, RESOLUTION), interpolation=cv2.INTER_AREA)
        return super().prepare(small)


def build(options: Mapping[str, Any], device: str = "cpu") -> DenseNetExpressionsExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return DenseNetExpressionsExtractor(
        Options.read(options, "features.densenet_expressions"), device
    )

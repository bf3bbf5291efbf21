"""Expression feature of the DenseNet (section 3.2.1): 342 values a face."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.extractors.options import OptionReader, Precision
from circumplex.networks import densenet
from circumplex.weights import Weights, build_network


@dataclass(frozen=True)
class Options:
    """Of the feature ``densenet``.

    Attributes:
        weights: of the network.
        mean: of the grey values (0 to 255) of the images that the network was trained on.
        deviation: their standard deviation.
        batch_size: faces a batch; fixed, see `extract_visual`.
        precision: of the arithmetic.
    """

    weights: Weights
    mean: float
    deviation: float
    batch_size: int
    precision: Precision

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Self:
        """Read the config's slice.

        Raises:
            RequestError: an unknown key or a value out of range.
        """
        reader = OptionReader("densenet", options)
        parsed = cls(
            weights=Weights.parse(reader.raw("weights")),
            mean=reader.positive("mean", 131.0754),  # both from the authors' FER+ code
            deviation=reader.positive("deviation", 47.858177),
            batch_size=reader.positive("batch_size", 32),
            precision=reader.choice("precision", Precision.FLOAT32),
        )
        reader.finish()
        return parsed


def grey_image(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An RGB crop as the network's 64x64 grey image, rounded to whole values as in training."""
    size = (densenet.INPUT_SIZE, densenet.INPUT_SIZE)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)


class DenseNetExtractor:
    """Embeds faces with the expression DenseNet.

    Args:
        options: of the feature.
        device: PyTorch's name of it.
    """

    name = "densenet"
    dimension = densenet.FEATURES

    def __init__(self, options: Options, device: str) -> None:
        self._options = options
        self._device = device
        network = build_network(densenet.DenseNetBC, options.weights, device)
        # Channels last is half as fast again on a CPU.
        self._network = network.to(memory_format=torch.channels_last)

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB crops (batch, 112, 112, 3) to features (batch, 342)."""
        grey = torch.from_numpy(np.stack([grey_image(crop) for crop in crops])).to(self._device)
        images = (grey.float().unsqueeze(1) - self._options.mean) / self._options.deviation
        images = images.to(memory_format=torch.channels_last)
        with torch.inference_mode():
            features = self._network.embed(images)
        return np.asarray(features.cpu().numpy())


def build(options: Mapping[str, Any], device: str = "cpu") -> DenseNetExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options make no sense, or the weights are missing or do not fit.
    """
    return DenseNetExtractor(Options.parse(options), device)

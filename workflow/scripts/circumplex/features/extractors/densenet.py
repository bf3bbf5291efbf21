"""Expression feature of the DenseNet (section 3.2.1): 342 values per face."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.config.densenet_blocks import FEATURES
from circumplex.config.extractors.densenet import Options
from circumplex.networks import densenet
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.densenet import grey_image
from circumplex.networks.inference import Inference
from circumplex.networks.weights import Weights, build_network


class Embedding(torch.nn.Module):
    """Grey images (batch, 1, 64, 64), 0 to 255, to features (batch, 342)."""

    def __init__(self, network: densenet.DenseNetBC, mean: float, deviation: float) -> None:
        super().__init__()
        self._network, self._mean, self._deviation = network, mean, deviation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise and embed."""
        return self._network.embed((images.float() - self._mean) / self._deviation)


class DenseNetExtractor:
    """Embeds faces with the expression DenseNet.

    Args:
        options: of the feature.
        device: PyTorch's name of it.
    """

    name = "densenet"
    dimension = FEATURES

    def __init__(self, options: Options, device: str) -> None:
        self.batch_size = options.batch_size
        factory = partial(densenet.DenseNetBC, options.blocks)
        network = build_network(factory, Weights.parse(options.weights), device)
        embedding = Embedding(network, options.mean, options.deviation)
        self.network = Inference(embedding, Arithmetic.of(options), device)

    def prepare(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB crop (112, 112, 3) as grey image (64, 64)."""
        return grey_image(crop)

    def embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Grey images (batch, 64, 64) to features (batch, 342)."""
        return np.asarray(self.network(self.batch(inputs)).cpu().numpy())

    def batch(self, inputs: NDArray[np.uint8]) -> torch.Tensor:
        """The network's input."""
        return self.network.upload(inputs).unsqueeze(1)


def build(options: Mapping[str, Any], device: str = "cpu") -> DenseNetExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return DenseNetExtractor(Options.read(options, "features.densenet"), device)

"""Expression feature of the DenseNet (section 3.2.1): 342 values per face."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch

from circumplex.config.densenet_blocks import FEATURES
from circumplex.config.extractors.densenet import Options
from circumplex.features.extractors.grey_network import GreyNetworkExtractor
from circumplex.networks import densenet
from circumplex.networks.arithmetic import Arithmetic
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


class DenseNetExtractor(GreyNetworkExtractor):
    """Embeds faces with the expression DenseNet.

    Args:
        options: of the feature.
        device: PyTorch's name of it.
    """

    name = "densenet"
    dimension = FEATURES
    outputs: ClassVar[type[torch.nn.Module]] = Embedding
    """What is taken of the network, given the mean and deviation of grey values."""

    def __init__(self, options: Options, device: str) -> None:
        self.batch_size = options.batch_size
        factory = partial(densenet.DenseNetBC, options.blocks)
        network = build_network(factory, Weights.parse(options.weights), device)
        outputs = self.outputs(network, options.mean, options.deviation)
        self.network = Inference(outputs, Arithmetic.of(options), device)


def build(options: Mapping[str, Any], device: str = "cpu") -> DenseNetExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return DenseNetExtractor(Options.read(options, "features.densenet"), device)

"""Probabilities of seven expressions by a mini-Xception, on face crops."""

from collections.abc import Mapping
from typing import Any

import torch

from circumplex.config.extractors.mini_xception import EXPRESSIONS, Options
from circumplex.features.extractors.grey_network import GreyNetworkExtractor
from circumplex.networks import mini_xception
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.inference import Inference
from circumplex.networks.mini_xception import MiniXception, read_keras_state
from circumplex.networks.weights import Weights, build_network


class Probabilities(torch.nn.Module):
    """Grey images (batch, 1, 64, 64), 0 to 255, to probabilities (batch, 7)."""

    def __init__(self, network: MiniXception) -> None:
        super().__init__()
        self._network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Bring the values to [-1, 1] and classify."""
        probabilities: torch.Tensor = self._network((images.float() / 255 - 0.5) * 2)
        return probabilities


class MiniXceptionExtractor(GreyNetworkExtractor):
    """Classifies the expressions of aligned faces.

    Args:
        options: of the feature.
        device: PyTorch's name of it.
    """

    name = "mini_xception"
    dimension = mini_xception.EXPRESSIONS
    columns = EXPRESSIONS

    def __init__(self, options: Options, device: str) -> None:
        self.batch_size = options.batch_size
        weights = Weights.parse(options.weights)
        network = build_network(MiniXception, weights, device, read_keras_state)
        self.network = Inference(Probabilities(network), Arithmetic.of(options), device)


def build(options: Mapping[str, Any], device: str = "cpu") -> MiniXceptionExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return MiniXceptionExtractor(Options.read(options, "features.mini_xception"), device)

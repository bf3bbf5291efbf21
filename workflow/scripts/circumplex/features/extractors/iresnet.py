"""Expression feature of the IResNet (section 3.2.1): 512 values per face."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.config.extractors.iresnet import Options
from circumplex.networks import iresnet
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.inference import Inference
from circumplex.networks.iresnet import FACTORIES, Depth
from circumplex.networks.iresnet_onnx import read_state
from circumplex.networks.weights import Weights, build_network


class Embedding(torch.nn.Module):
    """RGB faces (batch, 3, 112, 112), 0 to 255, to features (batch, 512)."""

    def __init__(self, network: iresnet.IResNet) -> None:
        super().__init__()
        self._network = network

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Bring the values to [-1, 1] and embed."""
        features: torch.Tensor = self._network((faces / 255 - 0.5) / 0.5)
        return features


class IResNetExtractor:
    """Embeds aligned faces with an ArcFace network.

    Args:
        name: of the feature.
        options: of the feature.
        device: PyTorch's name of it.
    """

    dimension = iresnet.FEATURES

    def __init__(self, name: str, options: Options, device: str) -> None:
        self.name = name
        self.batch_size = options.batch_size
        factory = partial(FACTORIES[Depth(options.depth)], options.channels)
        network = build_network(factory, Weights.parse(options.weights), device, read_state)
        self.network = Inference(Embedding(network), Arithmetic.of(options), device)

    def prepare(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB crop (112, 112, 3), as it is."""
        return crop

    def embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB crops (batch, 112, 112, 3) to features (batch, 512)."""
        return np.asarray(self.network(self.batch(inputs)).cpu().numpy())

    def batch(self, inputs: NDArray[np.uint8]) -> torch.Tensor:
        """The network's input."""
        return self.network.upload(inputs).permute(0, 3, 1, 2)


def build(options: Mapping[str, Any], device: str = "cpu") -> IResNetExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return IResNetExtractor("iresnet", Options.read(options, "features.iresnet"), device)

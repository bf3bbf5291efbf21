"""Expression feature of the DenseNet (section 3.2.1): 342 values a face."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.config.densenet_blocks import BLOCKS, FEATURES, check_blocks
from circumplex.networks import densenet
from circumplex.networks.arithmetic import Arithmetic, OptionReader
from circumplex.networks.densenet import grey_image
from circumplex.networks.inference import Inference
from circumplex.networks.weights import Weights, build_network


@dataclass(frozen=True)
class Options:
    """Of the feature ``densenet``.

    Attributes:
        weights: of the network.
        blocks: layers of each of its three; 16 in the paper's.
        mean: of the grey values (0 to 255) of the images that the network was trained on.
        deviation: their standard deviation.
        batch_size: faces a batch; fixed, see `BatchExtractor`.
        arithmetic: how the network is run.
    """

    weights: Weights
    blocks: tuple[int, int, int]
    mean: float
    deviation: float
    batch_size: int
    arithmetic: Arithmetic

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Self:
        """Read the config's slice.

        Raises:
            RequestError: an unknown key, a value out of range, or blocks that end in other than
                342 channels.
        """
        reader = OptionReader("densenet", options)
        parsed = cls(
            weights=Weights.parse(reader.raw("weights")),
            blocks=reader.counts("blocks", BLOCKS),
            mean=reader.positive("mean", 131.0754),  # both from the authors' FER+ code
            deviation=reader.positive("deviation", 47.858177),
            batch_size=reader.positive("batch_size", 32),
            # Channels last is half as fast again on a CPU.
            arithmetic=Arithmetic.read(reader, channels_last=True),
        )
        reader.finish()
        check_blocks(parsed.blocks, "features.densenet")
        return parsed


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
        network = build_network(factory, options.weights, device)
        embedding = Embedding(network, options.mean, options.deviation)
        self.network = Inference(embedding, options.arithmetic, device)

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
        RequestError: the options make no sense, or the weights are missing or do not fit.
    """
    return DenseNetExtractor(Options.parse(options), device)

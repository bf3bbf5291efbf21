"""What image networks that were not made for face crops share: resizing, normalising, batches."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.inference import Inference
from circumplex.networks.transformers import check_dimension


class Normalised(torch.nn.Module):
    """A network behind the normalisation of its input: RGB (batch, 3, side, side), 0 to 255."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self, network: torch.nn.Module, mean: Sequence[float], deviation: Sequence[float]
    ) -> None:
        super().__init__()
        self._network = network
        for name, values in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, torch.tensor(values).reshape(-1, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Bring the values to [0, 1], normalise each channel, embed."""
        features: torch.Tensor = self._network((images / 255 - self.mean) / self.deviation)
        return features


class BackboneExtractor:
    """Embeds whole face crops with an image network, resized to its input.

    Args:
        name: name of the feature.
        network: (batch, 3, side, side) normalised images to (batch, dimension).
        side: side of the network's square input, in pixels.
        resample: filter of the resizing.
        mean: mean of the network's training images, per channel, in [0, 1].
        deviation: standard deviation of the same, per channel.
        dimension: values per frame, as the config declares.
        batch_size: crops per batch.
        arithmetic: how to run the network.
        device: PyTorch's name of it.

    Raises:
        RequestError: the network gives another dimension.
    """

    def __init__(
        self,
        name: str,
        network: torch.nn.Module,
        *,
        side: int,
        resample: Image.Resampling,
        mean: Sequence[float],
        deviation: Sequence[float],
        dimension: int,
        batch_size: int,
        arithmetic: Arithmetic,
        device: str,
    ) -> None:
        self.name, self.dimension, self.batch_size = name, dimension, batch_size
        self._size, self._resample = (side, side), resample
        with torch.inference_mode():
            found = network(torch.zeros(1, 3, side, side, device=device)).shape[-1]
        check_dimension(name, dimension, found)
        normalised = Normalised(network, mean, deviation).to(device)
        self.network = Inference(normalised, arithmetic, device)

    def prepare(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB crop (112, 112, 3) as (side, side, 3)."""
        return np.asarray(Image.fromarray(crop).resize(self._size, self._resample))

    def embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB images (batch, side, side, 3) to features (batch, dimension)."""
        return np.asarray(self.network(self.batch(inputs)).cpu().numpy())

    def batch(self, inputs: NDArray[np.uint8]) -> torch.Tensor:
        """The network's input."""
        return self.network.upload(inputs).permute(0, 3, 1, 2)

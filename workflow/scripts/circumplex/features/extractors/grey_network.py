"""What networks of small grey faces share: the picture that they take, and batches."""

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.networks.densenet import grey_image
from circumplex.networks.inference import Inference


class GreyNetworkExtractor:
    """Runs a network on face crops as grey images of 64x64 pixels.

    Attributes:
        network: (batch, 1, 64, 64) grey images, 0 to 255, to (batch, dimension).
    """

    network: Inference

    def prepare(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB crop (112, 112, 3) as grey image (64, 64)."""
        return grey_image(crop)

    def embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Grey images (batch, 64, 64) to values (batch, dimension)."""
        return np.asarray(self.network(self.batch(inputs)).cpu().numpy())

    def batch(self, inputs: NDArray[np.uint8]) -> torch.Tensor:
        """The network's input."""
        return self.network.upload(inputs).unsqueeze(1)

"""Any ONNX network of face crops, such as those of EmotiEffLib and InsightFace."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.config.extractors.onnx import Channels, Options
from circumplex.errors import RequestError
from circumplex.networks.onnx_session import ImageSession
from circumplex.networks.transformers import check_dimension
from circumplex.networks.weights import Weights


class OnnxExtractor:
    """Embeds whole face crops with an ONNX network, resized to its input.

    Args:
        name: of the feature.
        options: of the feature.

    Raises:
        RequestError: the weights are missing or random, the network does not fit the options.
    """

    def __init__(self, name: str, options: Options) -> None:
        weights = Weights.parse(options.weights)
        if weights.is_random:
            raise RequestError(
                f"features.{name}.weights is {options.weights}: an ONNX file holds the network "
                "itself, so name a file"
            )
        self.name, self.dimension, self.columns = name, options.dimension, options.columns
        self.batch_size = options.batch_size
        self._side, self._take = options.side, list(options.take)
        self._reverse = options.channels is Channels.BGR
        self._mean = np.asarray(options.mean, np.float32)
        self._deviation = np.asarray(options.deviation, np.float32)
        path = weights.checked_file()
        threads = torch.get_num_threads()  # which the job has set
        self._session = ImageSession(path, options.outputs, options.side, threads)
        self._check()

    def _check(self) -> None:
        blank = np.zeros((self.batch_size, self._side, self._side, 3), np.uint8)
        found = self._session(self._normalise(blank)).shape[1]
        for place in self._take:
            if not -found <= place < found:
                raise RequestError(
                    f"features.{self.name}.take names value {place}, but the network gives {found}"
                )
        check_dimension(self.name, self.dimension, len(self._take) or found)

    def prepare(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB crop (112, 112, 3) as (side, side, 3)."""
        size = (self._side, self._side)
        return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB images (batch, side, side, 3) to features (batch, dimension)."""
        values = self._session(self._normalise(inputs))
        return values[:, self._take] if self._take else values

    def _normalise(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        scaled = inputs.astype(np.float32) / np.float32(255)
        normalised: NDArray[np.float32] = (scaled - self._mean) / self._deviation
        return normalised[..., ::-1] if self._reverse else normalised


def build(options: Mapping[str, Any], _device: str = "cpu", name: str = "onnx") -> OnnxExtractor:
    """The extractor of the config's slice of the feature called ``name``; it uses the CPU.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return OnnxExtractor(name, Options.read(options, f"features.{name}"))

"""VGGish feature (section 3.2.2): 128 values for every 0.96 s example."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.config.extractors.vggish import Options
from circumplex.features.sound import AudioRows, Intervals
from circumplex.io.prefetch import Batcher
from circumplex.media.wave import SAMPLE_RATE, WaveFile
from circumplex.networks import vggish
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.inference import Inference
from circumplex.networks.weights import Weights, build_network, load_state

EXAMPLE_S = 0.96


def read_pca(path: Path, _network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State of the post-processor: the release's ``.npz``, or the common port's ``.pth``.

    The port keeps arrays of NumPy in its file; its means are a column.

    Raises:
        RequestError: it cannot be read safely.
    """
    state = load_state(path)
    if "pca_means" in state and state["pca_means"].shape == (vggish.FEATURES, 1):
        state["pca_means"] = state["pca_means"].flatten()
    return state


class VGGishExtractor:
    """Embeds examples of 0.96 s.

    As in the release, an example reads 15 ms beyond its 0.96 s, and a last one that is not full
    is left out; sound that is shorter than one example is filled up with zeros.

    Args:
        options: of the feature.
        device: PyTorch's name of it.
    """

    name = "vggish"
    dimension = vggish.FEATURES
    samples = vggish.EXAMPLE_SAMPLES  # of an example
    columns: tuple[str, ...] = ()

    def __init__(self, options: Options, device: str) -> None:
        self.batch_size = options.batch_size
        self._hop = round(options.hop_s * 100) * SAMPLE_RATE // 100  # samples
        self._front_end = vggish.LogMel().to(device)
        network = build_network(vggish.VGGish, Weights.parse(options.weights), device)
        self.network = Inference(network, Arithmetic.of(options), device)
        self._postprocess: torch.nn.Module = torch.nn.Identity()
        if options.pca is not None:
            pca = Weights.parse(options.pca)
            self._postprocess = build_network(vggish.Postprocessor, pca, device, read_pca)

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """One row an example.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        batcher = Batcher(self.embed, self.batch_size, self.dimension)
        for intervals, values in batcher.stream(self.read(wave)):
            yield AudioRows(*intervals, values)

    def read(self, wave: Path) -> Iterator[tuple[Intervals, NDArray[np.float32]]]:
        """The examples' intervals and sounds (examples, 15600), a batch or less at a time.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        size = vggish.EXAMPLE_SAMPLES
        with WaveFile(wave) as file:
            examples = 1 + max(0, file.samples - size) // self._hop
            for first in range(0, examples, self.batch_size):
                numbers = range(first, min(first + self.batch_size, examples))
                waves = np.stack([file.read(number * self._hop, size) for number in numbers])
                starts = np.array(numbers) * self._hop / SAMPLE_RATE
                yield Intervals(starts, starts + EXAMPLE_S), waves

    def embed(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sounds (batch, 15600) in [-1, 1] to features (batch, 128)."""
        with torch.inference_mode():
            values: torch.Tensor = self._postprocess(self.network(self.batch(inputs)))
        return np.asarray(values.cpu().numpy())

    def batch(self, inputs: NDArray[np.float32]) -> torch.Tensor:
        """The network's input: log-mel examples."""
        with torch.inference_mode():
            examples: torch.Tensor = self._front_end(self.network.upload(inputs))
        return examples


def build(options: Mapping[str, Any], device: str = "cpu") -> VGGishExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return VGGishExtractor(Options.read(options, "features.vggish"), device)

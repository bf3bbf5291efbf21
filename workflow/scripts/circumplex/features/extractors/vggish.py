"""VGGish feature (section 3.2.2): 128 values for every 0.96 s example."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.errors import RequestError
from circumplex.features.sound import AudioRows, Intervals
from circumplex.io.prefetch import Batcher
from circumplex.media.wave import SAMPLE_RATE, WaveFile
from circumplex.networks import vggish
from circumplex.networks.arithmetic import Arithmetic, OptionReader
from circumplex.networks.inference import Inference
from circumplex.networks.weights import Weights, build_network, load_state

EXAMPLE_S = 0.96


class Postprocess(StrEnum):
    """What is done to the network's output."""

    NONE = "none"
    QUANTISED = "quantised"  # whitened, then 0 to 255 in whole numbers, as AudioSet hands out


@dataclass(frozen=True)
class Options:
    """Of the feature ``vggish``.

    Attributes:
        weights: of the network.
        hop_s: seconds between the starts of examples, a multiple of 0.01; 0.96 as published.
        postprocess: of the network's output.
        pca: ``pca_eigen_vectors`` and ``pca_means``; for `Postprocess.QUANTISED` only.
        batch_size: examples a batch; fixed, so that an example's feature never depends on it.
        arithmetic: how the network is run.
    """

    weights: Weights
    hop_s: float
    postprocess: Postprocess
    pca: Weights | None
    batch_size: int
    arithmetic: Arithmetic

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Self:
        """Read the config's slice.

        Raises:
            RequestError: an unknown key, a value out of range, or ``pca`` without need or missing.
        """
        reader = OptionReader("vggish", options)
        postprocess = reader.choice("postprocess", Postprocess.NONE)
        quantised = postprocess is Postprocess.QUANTISED
        parsed = cls(
            weights=Weights.parse(reader.raw("weights")),
            hop_s=reader.positive("hop_s", EXAMPLE_S),
            postprocess=postprocess,
            pca=Weights.parse(reader.raw("pca")) if quantised else None,
            batch_size=reader.positive("batch_size", 16),
            arithmetic=Arithmetic.read(reader),
        )
        reader.finish()
        if abs(parsed.hop_s * 100 - round(parsed.hop_s * 100)) > 1e-6:
            raise RequestError(f"features.vggish.hop_s: {parsed.hop_s} is no multiple of 0.01 s")
        return parsed


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
        network = build_network(vggish.VGGish, options.weights, device)
        self.network = Inference(network, options.arithmetic, device)
        self._postprocess: torch.nn.Module = torch.nn.Identity()
        if options.pca is not None:
            self._postprocess = build_network(vggish.Postprocessor, options.pca, device, read_pca)

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
        RequestError: the options make no sense, or the weights are missing or do not fit.
    """
    return VGGishExtractor(Options.parse(options), device)

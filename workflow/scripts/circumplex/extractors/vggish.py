"""VGGish feature (section 3.2.2): 128 values for every 0.96 s example."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from circumplex.errors import RequestError
from circumplex.extractors.audio import SAMPLE_RATE, AudioRows, WaveFile
from circumplex.extractors.options import OptionReader, Precision
from circumplex.networks import vggish
from circumplex.weights import Weights, build_network, load_state

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
        precision: of the arithmetic.
    """

    weights: Weights
    hop_s: float
    postprocess: Postprocess
    pca: Weights | None
    batch_size: int
    precision: Precision

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
            precision=reader.choice("precision", Precision.FLOAT32),
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
    columns: tuple[str, ...] = ()

    def __init__(self, options: Options, device: str) -> None:
        self._batch_size = options.batch_size
        self._hop = round(options.hop_s * 100) * SAMPLE_RATE // 100  # samples
        self._device = device
        stages: list[torch.nn.Module] = [
            vggish.LogMel().to(device),
            build_network(vggish.VGGish, options.weights, device),
        ]
        if options.pca is not None:
            stages.append(build_network(vggish.Postprocessor, options.pca, device, read_pca))
        self._network = torch.nn.Sequential(*stages)

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """One row an example, a batch at a time.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        size = vggish.EXAMPLE_SAMPLES
        with WaveFile(wave) as file:
            examples = 1 + max(0, file.samples - size) // self._hop
            for first in range(0, examples, self._batch_size):
                count = min(self._batch_size, examples - first)
                waves = np.zeros((self._batch_size, size), np.float32)
                for row in range(count):
                    waves[row] = file.read((first + row) * self._hop, size)
                with torch.inference_mode():
                    values: torch.Tensor = self._network(torch.from_numpy(waves).to(self._device))
                starts = np.arange(first, first + count) * self._hop / SAMPLE_RATE
                yield AudioRows(starts, starts + EXAMPLE_S, values[:count].cpu().numpy())


def build(options: Mapping[str, Any], device: str = "cpu") -> VGGishExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options make no sense, or the weights are missing or do not fit.
    """
    return VGGishExtractor(Options.parse(options), device)

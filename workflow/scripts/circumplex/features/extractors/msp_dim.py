"""Arousal, dominance and valence of speech in sliding windows."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Wav2Vec2Config, Wav2Vec2Model, Wav2Vec2PreTrainedModel

from circumplex.config.extractors.msp_dim import DIMENSIONS, Options
from circumplex.errors import RequestError
from circumplex.features.extractors.speech import OPTIONAL_KEYS, VARIANCE_FLOOR
from circumplex.features.sound import AudioRows
from circumplex.io.prefetch import prefetch
from circumplex.media.wave import SAMPLE_RATE, WaveFile
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.inference import Exact, Inference
from circumplex.networks.transformers import load_pretrained, move_model, read_preprocessor
from circumplex.networks.weights import Weights, build_network

EXAMPLE = "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim"
SHORTEST = 400  # samples that one token of wav2vec 2.0 sees
WINDOWS_AHEAD = 4


class RegressionHead(torch.nn.Module):
    """Pooled hidden states (batch, hidden) to dimensions (batch, 3); names as published."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = torch.nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """A hidden layer with tanh, then a linear one."""
        values: torch.Tensor = self.out_proj(torch.tanh(self.dense(pooled)))
        return values


class DimensionModel(Wav2Vec2PreTrainedModel):  # type: ignore[misc]
    """Normalised sound (batch, samples) to arousal, dominance, valence, about 0 to 1."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)
        self.classifier = RegressionHead(config)
        self.post_init()

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """The mean of the last hidden state over the sound, through the head."""
        states: torch.Tensor = self.wav2vec2(waves).last_hidden_state
        values: torch.Tensor = self.classifier(states.mean(dim=1))
        return values


class MspDimExtractor:
    """Describes windows of sound, the last of which ends with the sound.

    Sound that is shorter than a window is one window of its own length.

    Args:
        options: of the feature.
        device: PyTorch's name of it.

    Raises:
        RequestError: the weights are missing or do not fit.
    """

    name = "msp_dim"
    dimension = len(DIMENSIONS)
    columns = DIMENSIONS

    def __init__(self, options: Options, device: str) -> None:
        self.samples = round(options.window_s * SAMPLE_RATE)  # of a full window
        self._hop = round(options.hop_s * SAMPLE_RATE)
        weights = Weights.parse(options.weights)
        self._normalise = True
        if weights.is_random:
            model = build_network(_small_model, weights)
        else:
            model = load_pretrained(
                weights, DimensionModel, optional=OPTIONAL_KEYS, foreign=(), example=EXAMPLE
            )
            _check_labels(weights, model.config)
            described = read_preprocessor(weights.checked_file())
            self._normalise = bool(described.get("do_normalize", True))
        module: Any = move_model(model, device)
        # Sound has more than the 8 bits of a bfloat16: the convolutions that read it keep them.
        module.wav2vec2.feature_extractor = Exact(module.wav2vec2.feature_extractor)
        self.network = Inference(module, Arithmetic(options.precision), device)

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """One row a window.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        for start, length, samples in prefetch(self._windows(wave), WINDOWS_AHEAD):
            first = np.array([start / SAMPLE_RATE])
            yield AudioRows(first, first + length / SAMPLE_RATE, self.embed(samples[None]))

    def embed(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised sound (batch, samples) to dimensions (batch, 3)."""
        return np.asarray(self.network(self.batch(waves)).cpu().numpy())

    def batch(self, waves: NDArray[np.float32]) -> torch.Tensor:
        """The network's input."""
        return self.network.upload(waves)

    def _windows(self, wave: Path) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """Start and length in samples, and normalised sound, of each window."""
        with WaveFile(wave) as file:
            length = min(self.samples, file.samples)
            last = file.samples - length
            for start in [*range(0, last, self._hop), last]:
                samples = file.read(start, max(length, SHORTEST))
                yield start, length, self._normalised(samples)

    def _normalised(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self._normalise:
            return samples
        deviation = math.sqrt(float(samples.var(dtype=np.float64)) + VARIANCE_FLOOR)
        mean = float(samples.mean(dtype=np.float64))
        return (samples - np.float32(mean)) / np.float32(deviation)


def _small_model() -> DimensionModel:
    """A small network for trials with random weights."""
    config = Wav2Vec2Config(
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        conv_dim=(64,) * 7,
        num_labels=len(DIMENSIONS),
    )
    return DimensionModel(config)


def _check_labels(weights: Weights, config: Any) -> None:
    found = tuple(config.id2label[k] for k in range(config.num_labels))
    if found != DIMENSIONS:
        raise RequestError(
            f"weights {weights.file} predict {', '.join(map(str, found))}, not "
            f"{', '.join(DIMENSIONS)}"
        )


def build(options: Mapping[str, Any], device: str = "cpu") -> MspDimExtractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    return MspDimExtractor(Options.read(options, "features.msp_dim"), device)

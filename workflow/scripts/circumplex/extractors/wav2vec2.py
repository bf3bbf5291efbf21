"""wav2vec 2.0 feature (section 3.2.2): 768 values for every 20 ms token, of the last layer."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import Wav2Vec2Config, Wav2Vec2Model

from circumplex.errors import RequestError
from circumplex.extractors.audio import SAMPLE_RATE, AudioRows, WaveFile
from circumplex.extractors.options import OptionReader, Precision
from circumplex.weights import Weights, build_network, check_fit

FEATURES = 768
STRIDE, RECEPTIVE_FIELD = 320, 400  # samples: a token every 20 ms, of 25 ms of sound
VARIANCE_FLOOR = 1e-7  # of the published feature extractor; keeps silence finite
STATISTICS_BLOCK = 60 * SAMPLE_RATE
# Training only: the published fine-tuned model has no mask vector, the pre-trained one has heads.
OPTIONAL_KEYS = ("masked_spec_embed",)
FOREIGN_KEYS = ("lm_head.", "quantizer.", "project_q.", "project_hid.")


class Size(StrEnum):
    """Of a random stand-in; a folder of weights brings its own configuration."""

    BASE = "base"
    SMALL = "small"  # for trials: 2 layers and a thin convolutional front end


@dataclass(frozen=True)
class Options:
    """Of the feature ``wav2vec2``.

    Attributes:
        weights: folder of a transformers model, or a seed.
        size: of a random stand-in.
        window_s: seconds of tokens kept from one pass of the network, a multiple of 0.02.
        context_s: seconds of sound on both sides of them, a multiple of 0.02.
        precision: of the arithmetic.
    """

    weights: Weights
    size: Size
    window_s: float
    context_s: float
    precision: Precision

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Self:
        """Read the config's slice.

        Raises:
            RequestError: an unknown key or a value out of range.
        """
        reader = OptionReader("wav2vec2", options)
        parsed = cls(
            weights=Weights.parse(reader.raw("weights")),
            size=reader.choice("size", Size.BASE),
            window_s=reader.positive("window_s", 20.0),
            context_s=reader.positive("context_s", 2.0),
            precision=reader.choice("precision", Precision.FLOAT32),
        )
        reader.finish()
        for key, value in (("window_s", parsed.window_s), ("context_s", parsed.context_s)):
            if abs(value * 50 - round(value * 50)) > 1e-6:
                raise RequestError(f"features.wav2vec2.{key}: {value} is no multiple of 0.02 s")
        return parsed


def random_config(size: Size) -> Wav2Vec2Config:
    """Configuration of a stand-in; ``base`` is the published one, which is the class's default."""
    if size is Size.BASE:
        return Wav2Vec2Config()
    return Wav2Vec2Config(num_hidden_layers=2, intermediate_size=768, conv_dim=(128,) * 7)


def load_model(weights: Weights) -> torch.nn.Module:
    """A model from a transformers folder, which must hold ``config.json`` and the weights.

    Raises:
        RequestError: the folder is missing, incomplete, of another model, or does not fit.
    """
    folder = weights.checked_file()
    safe = (folder / "model.safetensors").is_file()
    if not (folder / "config.json").is_file() or not (
        safe or (folder / "pytorch_model.bin").is_file()
    ):
        raise RequestError(
            f"weights {folder}: expected a folder with config.json and model.safetensors or "
            "pytorch_model.bin, as facebook/wav2vec2-base-960h has"
        )
    try:
        model, found = Wav2Vec2Model.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=safe,
            weights_only=True,
            ignore_mismatched_sizes=True,  # refused below, by name
            output_loading_info=True,
        )
    except (OSError, RuntimeError, ValueError, UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"weights {folder} cannot be loaded: {reason}") from error
    missing = [key for key in found["missing_keys"] if key not in OPTIONAL_KEYS]
    unexpected = [key for key in found["unexpected_keys"] if not key.startswith(FOREIGN_KEYS)]
    misshaped = [
        f"{key} {tuple(shape)} instead of {tuple(expected)}"
        for key, shape, expected in found["mismatched_keys"]
    ]
    problems = {
        "missing": sorted(missing),
        "unexpected": sorted(unexpected),
        "misshaped": sorted(misshaped),
    }
    check_fit(folder, "Wav2Vec2Model", problems)
    if model.config.hidden_size != FEATURES:
        raise RequestError(
            f"weights {folder} give {model.config.hidden_size} values, expected {FEATURES}"
        )
    module: torch.nn.Module = model.float().eval().requires_grad_(False)
    return module


class Wav2Vec2Extractor:
    """Embeds sound token by token.

    The sound is brought to zero mean and unit variance over the whole file, as the network was
    trained on whole utterances. What fits in one pass is computed in one; longer sound in passes
    of equal length that overlap by ``context_s`` on both sides, the first and the last lying
    against the file's ends. The values at their seams differ slightly from a single pass: the
    first convolution is normalised over a pass, and attention reaches all of it.

    Token k sees the samples of [0.02 k, 0.02 k + 0.025) s, which is the interval of its row.
    Sound shorter than 25 ms is filled up with zeros.

    Args:
        options: of the feature.
        device: PyTorch's name of it.
    """

    name = "wav2vec2"
    dimension = FEATURES
    columns: tuple[str, ...] = ()

    def __init__(self, options: Options, device: str) -> None:
        self._device = device
        self._kept = round(options.window_s * SAMPLE_RATE) // STRIDE  # tokens
        self._context = round(options.context_s * SAMPLE_RATE) // STRIDE
        if options.weights.is_random:
            config = random_config(options.size)
            self._model = build_network(lambda: Wav2Vec2Model(config), options.weights, device)
        else:
            self._model = load_model(options.weights).to(device)

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """One row a token, a window at a time.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        with WaveFile(wave) as file:
            mean, deviation = statistics(file)
            tokens = 1 + max(0, file.samples - RECEPTIVE_FIELD) // STRIDE
            length = min(tokens, self._kept + 2 * self._context)
            done = 0
            while done < tokens:
                first = min(max(done - self._context, 0), tokens - length)
                last = first + length
                stop = tokens if last == tokens else last - self._context
                end = (last - 1) * STRIDE + RECEPTIVE_FIELD
                if last == tokens:  # what is left over counts in the first normalisation
                    end = max(end, file.samples)
                samples = file.read(first * STRIDE, end - first * STRIDE)
                normalised = (samples - np.float32(mean)) / np.float32(deviation)
                values = self._embed(normalised)[done - first : stop - first]
                starts = np.arange(done, stop) * STRIDE / SAMPLE_RATE
                yield AudioRows(starts, starts + RECEPTIVE_FIELD / SAMPLE_RATE, values)
                done = stop

    def _embed(self, samples: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
        """Last hidden states (tokens, 768) of normalised samples."""
        with torch.inference_mode():
            batch = torch.from_numpy(samples).unsqueeze(0).to(self._device)
            return self._model(batch).last_hidden_state[0].cpu().numpy()


def statistics(file: WaveFile) -> tuple[float, float]:
    """Mean and floored standard deviation of a whole file, in two passes of fixed memory."""
    starts = range(0, file.samples, STATISTICS_BLOCK)
    counts = [min(STATISTICS_BLOCK, file.samples - start) for start in starts]
    blocks = list(zip(starts, counts, strict=True))
    total = sum(file.read(*block).sum(dtype=np.float64) for block in blocks)
    mean = float(total) / file.samples
    squares = sum(float(np.square(file.read(*b).astype(np.float64) - mean).sum()) for b in blocks)
    return mean, math.sqrt(squares / file.samples + VARIANCE_FLOOR)


def build(options: Mapping[str, Any], device: str = "cpu") -> Wav2Vec2Extractor:
    """The extractor of the config's slice.

    Raises:
        RequestError: the options make no sense, or the weights are missing or do not fit.
    """
    return Wav2Vec2Extractor(Options.parse(options), device)

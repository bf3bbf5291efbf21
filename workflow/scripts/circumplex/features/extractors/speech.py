"""Any speech encoder of transformers that reads waves: HuBERT, WavLM, wav2vec 2.0."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, HubertConfig, HubertModel, PreTrainedModel

from circumplex.config.extractors.speech import Options, Pooled
from circumplex.config.precision import Precision
from circumplex.errors import RequestError
from circumplex.features.sound import AudioRows
from circumplex.io.prefetch import prefetch
from circumplex.media.wave import SAMPLE_RATE, WaveFile
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.inference import Exact, Inference
from circumplex.networks.transformers import (
    check_dimension,
    load_pretrained,
    move_model,
    read_preprocessor,
)
from circumplex.networks.weights import Weights, build_network

VARIANCE_FLOOR = 1e-7  # of the published feature extractors; keeps silence finite
STATISTICS_BLOCK = 60 * SAMPLE_RATE
PASSES_AHEAD = 2
# Training only: the published fine-tuned models have no mask vector, pre-trained ones have heads.
OPTIONAL_KEYS = ("masked_spec_embed",)
FOREIGN_KEYS = ("lm_head.", "quantizer.", "project_q.", "project_hid.", "classifier.", "projector.")


Layer = Pooled | int
"""Which hidden state; 0 is the input of the first Transformer layer, k the output of the k-th."""


class Tokens(torch.nn.Module):
    """A model's hidden states (1, tokens, dimension) of normalised sound (1, samples)."""

    def __init__(self, model: torch.nn.Module, layer: Layer) -> None:
        super().__init__()
        self._model, self._layer = model, layer

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """The chosen layer's, or the mean of the layers'."""
        if self._layer is Pooled.LAST:
            last: torch.Tensor = self._model(waves).last_hidden_state
            return last
        states = self._model(waves, output_hidden_states=True).hidden_states
        if self._layer is Pooled.MEAN:
            return torch.stack(states[1:]).mean(dim=0)
        chosen: torch.Tensor = states[self._layer]
        return chosen


class Pass(NamedTuple):
    """One forward pass: normalised sound, the tokens kept of it, their place among all."""

    samples: NDArray[np.float32]
    kept: slice
    first: int


class SpeechExtractor:
    """Embeds sound token by token.

    What fits in one pass is computed in one; longer sound in passes of equal length that overlap
    by ``context_s`` on both sides, the first and the last lying against the file's ends. The
    values at their seams differ slightly from a single pass: attention reaches all of a pass, and
    some models normalise their first convolution over it. Memory is fixed by the pass.

    Token k sees the samples of [k * stride, k * stride + field), which is the interval of its row;
    shorter sound is filled up with zeros.

    Args:
        name: of the feature.
        model: of transformers, on the device.
        layer: which hidden state.
        normalise: whether to bring the sound to zero mean and unit variance, over the whole file,
            as models are trained on whole utterances.
        window_s: seconds of tokens kept from one pass.
        context_s: seconds of sound on both sides of them.
        precision: of the arithmetic.
        device: PyTorch's name of it.

    Raises:
        RequestError: the model has no such layer, or the seconds are no multiple of its stride.
    """

    columns: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        *,
        layer: Layer = Pooled.LAST,
        normalise: bool = True,
        window_s: float,
        context_s: float,
        precision: Precision,
        device: str,
    ) -> None:
        config: Any = model.config
        self.name = name
        self.dimension: int = config.hidden_size
        if isinstance(layer, int) and layer > config.num_hidden_layers:
            raise RequestError(
                f"features.{name}.layer is {layer}; the model has {config.num_hidden_layers} layers"
            )
        self._stride, self._field = stride_and_field(config.conv_kernel, config.conv_stride)
        self._kept = self._tokens(f"{name}.window_s", window_s)
        self._context = self._tokens(f"{name}.context_s", context_s)
        tokens = self._kept + 2 * self._context
        self.samples = (tokens - 1) * self._stride + self._field  # of a full pass
        self._normalise = normalise
        # Not compiled: passes of short sound have any length.
        module: Any = move_model(model, device)
        # Sound has more than the 8 bits of a bfloat16: the convolutions that read it keep them.
        module.feature_extractor = Exact(module.feature_extractor)
        network = Tokens(module, layer)
        self.network = Inference(network, Arithmetic(precision), device)

    def _tokens(self, key: str, seconds: float) -> int:
        tokens = seconds * SAMPLE_RATE / self._stride
        if abs(tokens - round(tokens)) > 1e-3:
            step = self._stride / SAMPLE_RATE
            raise RequestError(f"features.{key}: {seconds} is no multiple of {step} s")
        return round(tokens)

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """One row a token, a pass at a time.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        for part in prefetch(self._passes(wave), PASSES_AHEAD):
            values = self.embed(part.samples[None])[0, part.kept]
            starts = np.arange(part.first, part.first + len(values)) * self._stride / SAMPLE_RATE
            yield AudioRows(starts, starts + self._field / SAMPLE_RATE, values)

    def embed(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised sound (1, samples) to hidden states (1, tokens, dimension)."""
        return np.asarray(self.network(self.batch(waves)).cpu().numpy())

    def batch(self, waves: NDArray[np.float32]) -> torch.Tensor:
        """The network's input."""
        return self.network.upload(waves)

    def _passes(self, wave: Path) -> Iterator[Pass]:
        with WaveFile(wave) as file:
            mean, deviation = statistics(file) if self._normalise else (0.0, 1.0)
            tokens = 1 + max(0, file.samples - self._field) // self._stride
            length = min(tokens, self._kept + 2 * self._context)
            done = 0
            while done < tokens:
                first = min(max(done - self._context, 0), tokens - length)
                last = first + length
                stop = tokens if last == tokens else last - self._context
                end = (last - 1) * self._stride + self._field
                if last == tokens:  # what is left over counts in the first normalisation
                    end = max(end, file.samples)
                samples = file.read(first * self._stride, end - first * self._stride)
                normalised = (samples - np.float32(mean)) / np.float32(deviation)
                yield Pass(normalised, slice(done - first, stop - first), done)
                done = stop


def stride_and_field(kernels: Any, strides: Any) -> tuple[int, int]:
    """Samples between tokens and samples that a token sees, of a stack of convolutions."""
    field = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        field = (field - 1) * stride + kernel
    return math.prod(strides), field


def statistics(file: WaveFile) -> tuple[float, float]:
    """Mean and floored standard deviation of a whole file, in two passes of fixed memory."""
    starts = range(0, file.samples, STATISTICS_BLOCK)
    counts = [min(STATISTICS_BLOCK, file.samples - start) for start in starts]
    blocks = list(zip(starts, counts, strict=True))
    total = sum(file.read(*block).sum(dtype=np.float64) for block in blocks)
    mean = float(total) / file.samples
    squares = sum(float(np.square(file.read(*b).astype(np.float64) - mean).sum()) for b in blocks)
    return mean, math.sqrt(squares / file.samples + VARIANCE_FLOOR)


def load_speech_model(weights: Weights, model_class: Any, example: str) -> PreTrainedModel:
    """A speech encoder from a transformers folder; heads for training are left out.

    Raises:
        RequestError: as `load_pretrained`, or it is no encoder of waves.
    """
    model = load_pretrained(
        weights, model_class, optional=OPTIONAL_KEYS, foreign=FOREIGN_KEYS, example=example
    )
    config: Any = model.config
    if not hasattr(config, "conv_stride"):
        raise RequestError(
            f"weights {weights.file} are of a {config.model_type} model, which does not read waves"
        )
    return model


def random_model(options: Options, name: str) -> PreTrainedModel:
    """A small HuBERT of the dimension, for trials."""
    size = options.dimension
    if size % 16:
        raise RequestError(
            f"features.{name}.dimension: {size} is no multiple of 16, as random weights need"
        )
    config = HubertConfig(
        hidden_size=size,
        intermediate_size=size,
        num_hidden_layers=2,
        num_attention_heads=4,
        conv_dim=(128,) * 7,
    )
    model: PreTrainedModel = build_network(
        lambda: HubertModel(config), Weights.parse(options.weights)
    )
    return model


def build(options: Mapping[str, Any], device: str = "cpu", name: str = "speech") -> SpeechExtractor:
    """The extractor of the config's slice of the feature called ``name``.

    Raises:
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    parsed = Options.read(options, f"features.{name}")
    weights = Weights.parse(parsed.weights)
    normalise = True
    if weights.is_random:
        model = random_model(parsed, name)
    else:
        model = load_speech_model(weights, AutoModel, "facebook/hubert-base-ls960")
        described = read_preprocessor(weights.checked_file())
        normalise = bool(described.get("do_normalize", True))
    extractor = SpeechExtractor(
        name,
        model,
        layer=parsed.layer,
        normalise=normalise,
        window_s=parsed.window_s,
        context_s=parsed.context_s,
        precision=parsed.precision,
        device=device,
    )
    check_dimension(name, parsed.dimension, extractor.dimension)
    return extractor

"""wav2vec 2.0 feature (section 3.2.2): 768 values for every 20 ms token, of the last layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from transformers import PreTrainedModel, Wav2Vec2Config, Wav2Vec2Model

from circumplex.errors import RequestError
from circumplex.features.extractors.speech import SpeechExtractor, load_speech_model
from circumplex.networks.arithmetic import OptionReader, Precision
from circumplex.networks.weights import Weights, build_network

FEATURES = 768


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
        return parsed


def random_config(size: Size) -> Wav2Vec2Config:
    """Configuration of a stand-in; ``base`` is the published one, which is the class's default."""
    if size is Size.BASE:
        return Wav2Vec2Config()
    return Wav2Vec2Config(num_hidden_layers=2, intermediate_size=768, conv_dim=(128,) * 7)


def load_model(weights: Weights) -> PreTrainedModel:
    """A model from a transformers folder, which must hold ``config.json`` and the weights.

    Raises:
        RequestError: the folder is missing, incomplete, of another model, or does not fit.
    """
    model = load_speech_model(weights, Wav2Vec2Model, "facebook/wav2vec2-base-960h")
    if model.config.hidden_size != FEATURES:
        raise RequestError(
            f"weights {weights.file} give {model.config.hidden_size} values, expected {FEATURES}"
        )
    return model


def build(options: Mapping[str, Any], device: str = "cpu") -> SpeechExtractor:
    """The extractor of the config's slice: the last hidden state of sound brought to unit variance.

    Raises:
        RequestError: the options make no sense, or the weights are missing or do not fit.
    """
    parsed = Options.parse(options)
    if parsed.weights.is_random:
        config = random_config(parsed.size)
        model = build_network(lambda: Wav2Vec2Model(config), parsed.weights)
    else:
        model = load_model(parsed.weights)
    return SpeechExtractor(
        "wav2vec2",
        model,
        window_s=parsed.window_s,
        context_s=parsed.context_s,
        precision=parsed.precision,
        device=device,
    )

"""wav2vec 2.0 feature (section 3.2.2): 768 values for every 20 ms token, of the last layer."""

from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedModel, Wav2Vec2Config, Wav2Vec2Model

from circumplex.config.extractors.wav2vec2 import Options, Size
from circumplex.errors import RequestError
from circumplex.features.extractors.speech import SpeechExtractor, load_speech_model
from circumplex.networks.weights import Weights, build_network

FEATURES = 768


def random_config(size: Size) -> Wav2Vec2Config:
    """Configuration for random weights; ``base`` is the published one, the default of the class."""
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
        RequestError: the options are invalid, or the weights are missing or do not fit.
    """
    parsed = Options.read(options, "features.wav2vec2")
    weights = Weights.parse(parsed.weights)
    if weights.is_random:
        config = random_config(parsed.size)
        model = build_network(lambda: Wav2Vec2Model(config), weights)
    else:
        model = load_model(weights)
    return SpeechExtractor(
        "wav2vec2",
        model,
        window_s=parsed.window_s,
        context_s=parsed.context_s,
        precision=parsed.precision,
        device=device,
    )

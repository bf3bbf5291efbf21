import json
import wave

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertModel,
    HubertConfig,
    HubertForCTC,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from circumplex.errors import RequestError
from circumplex.features.extractors import speech

RATE = 16_000


SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}


SPEECH = {**SMALL, "conv_dim": (16,) * 7}


def sound(seconds, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * np.cumsum(150 + 60 * np.sin(3 * time)) / RATE)
    return np.int16(6000 * tone + 300 * rng.normal(size=len(time)) + 200)


def write_wave(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", None))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def values_of(extractor, path):
    rows = list(extractor.rows(path))
    return np.concatenate([piece.values for piece in rows])


def seeded(make):
    torch.manual_seed(0)
    return make().eval()


# Speech encoders


def save_speech(folder, model, *, normalise=True):
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return {
        "weights": str(folder),
        "dimension": model.config.hidden_size,
        "layer": "last",
    }


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda: HubertForCTC(HubertConfig(**SPEECH)),
        lambda: WavLMModel(WavLMConfig(**SPEECH)),
        lambda: Wav2Vec2Model(
            Wav2Vec2Config(**SPEECH, feat_extract_norm="layer", do_stable_layer_norm=True)
        ),
    ],
    ids=["hubert", "wavlm", "wav2vec2-large"],
)
def test_a_speech_encoder_gives_the_models_hidden_states(tmp_path, make, normalise):
    tuned = seeded(make)
    options = save_speech(tmp_path / "model", tuned, normalise=normalise)
    samples = sound(1.3)
    path = write_wave(tmp_path / "a.wav", samples)
    # Independently: transformers' own feature extractor, then the model in one pass.
    reader = Wav2Vec2FeatureExtractor.from_pretrained(tmp_path / "model")
    read = reader(samples / 32768, sampling_rate=RATE, return_tensors="pt").input_values.float()
    model = getattr(tuned, "hubert", tuned)
    with torch.inference_mode():
        output = model(read, output_hidden_states=True)
    states = output.hidden_states
    assert len(states) == 4
    expected = {
        "last": output.last_hidden_state,
        "mean": sum(states[1:]) / 3,
        0: states[0],
        2: states[2],
    }
    for layer, state in expected.items():
        found = values_of(speech.build({**options, "layer": layer}), path)
        assert found.shape == (64, 32)
        np.testing.assert_allclose(found, state[0].numpy(), rtol=0, atol=2e-4, err_msg=str(layer))


def test_long_speech_comes_in_passes_of_fixed_size(tmp_path):
    options = save_speech(tmp_path / "model", seeded(lambda: WavLMModel(WavLMConfig(**SPEECH))))
    path = write_wave(tmp_path / "a.wav", sound(6.1))
    extractor = speech.build({**options, "window_s": 2.0, "context_s": 1.0})
    pieces = list(extractor.rows(path))
    assert [len(piece.values) for piece in pieces] == [150, 100, 54]
    starts = np.concatenate([piece.start_s for piece in pieces])
    assert starts == pytest.approx(np.arange(304) * 0.02)
    assert pieces[0].end_s[0] == pytest.approx(0.025)
    whole = values_of(speech.build(options), path)
    parts = np.concatenate([piece.values for piece in pieces])
    assert np.abs(parts - whole).mean() < 0.2 * whole.std()


def test_the_msp_dim_models_layout_loads(tmp_path):
    """A wav2vec 2.0 with a regression head, old names of the weight norm, in a pickle."""
    model = seeded(lambda: Wav2Vec2Model(Wav2Vec2Config(**SPEECH)))
    folder = tmp_path / "model"
    options = save_speech(folder, model)
    (folder / "model.safetensors").unlink()
    names = {"parametrizations.weight.original0": "weight_g"}
    names["parametrizations.weight.original1"] = "weight_v"
    state = {}
    for key, value in model.state_dict().items():
        for new, old in names.items():
            key = key.replace(new, old)
        state[f"wav2vec2.{key}"] = value
    head = {"dense": (32, 32), "out_proj": (3, 32)}
    state |= {f"classifier.{name}.weight": torch.zeros(shape) for name, shape in head.items()}
    torch.save(state, folder / "pytorch_model.bin")
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["Wav2Vec2ForSpeechClassification"]
    (folder / "config.json").write_text(json.dumps(config))
    path = write_wave(tmp_path / "a.wav", sound(0.5))
    found = values_of(speech.build(options), path)
    model.save_pretrained(tmp_path / "plain")
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "plain")
    plain = {**options, "weights": str(tmp_path / "plain")}
    assert np.array_equal(found, values_of(speech.build(plain), path))


def test_speech_folders_that_do_not_fit_are_refused(tmp_path):
    folder = tmp_path / "model"
    model = seeded(lambda: HubertForCTC(HubertConfig(**SPEECH)))
    options = save_speech(folder, model)
    for changes, problem in (
        ({"dimension": 768}, r"features.speech.dimension is 768, .* gives 32 .* dimension: 32"),
        ({"layer": 4}, r"features.speech.layer is 4; the model has 3 layers"),
        ({"layer": "middle"}, r"features.speech.layer is 'middle': must be last, mean"),
        ({"layer": True}, r"features.speech.layer is True"),
        ({"window_s": 1.01}, r"features.speech.window_s: 1.01 is no multiple of 0.02"),
        ({"speed": 1}, r"unknown key 'speed' at features.speech"),
    ):
        with pytest.raises(RequestError, match=problem):
            speech.build({**options, **changes})
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(RequestError, match=r"preprocessor_config.json, which says how"):
        speech.build(options)
    state = {f"hubert.{key}": value for key, value in model.hubert.state_dict().items()}
    del state["hubert.encoder.layers.2.attention.q_proj.bias"]
    save_file({**state, "surplus": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RequestError, match=r"1 missing \(.*q_proj\.bias\); 1 unexpected \(surplus"):
        speech.build(options)
    BertModel(BertConfig(**SMALL)).save_pretrained(tmp_path / "bert")
    with pytest.raises(RequestError, match="are of a bert model, which does not read waves"):
        speech.build({**options, "weights": str(tmp_path / "bert")})


def test_a_random_speech_encoder_says_what_it_needs(tmp_path):
    options = {"weights": "random:1", "layer": "mean", "dimension": 32}
    path = write_wave(tmp_path / "a.wav", sound(0.4))
    assert values_of(speech.build(options), path).shape == (19, 32)
    with pytest.raises(RequestError, match=r"features.speech.dimension: 30 is no multiple of 16"):
        speech.build({**options, "dimension": 30})

"""A checkpoint of the published form, small and synthetic; the real one is not run here."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2Model

from circumplex.errors import RequestError
from circumplex.features.extractors.msp_dim import build
from waves import join, sound, write_wave

RATE = 16_000
LABELS = {0: "arousal", 1: "dominance", 2: "valence"}


@pytest.fixture
def folder(tmp_path):
    """A transformers folder as audEERING's: wav2vec2.*, classifier.dense, classifier.out_proj."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        conv_dim=(32,) * 7,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        id2label=LABELS,
        label2id={label: k for k, label in LABELS.items()},
        architectures=["Wav2Vec2ForSpeechClassification"],
    )
    model = Wav2Vec2Model(config)
    state = {f"wav2vec2.{name}": value for name, value in model.state_dict().items()}
    for name, width in (("dense", 32), ("out_proj", 3)):
        state[f"classifier.{name}.weight"] = torch.randn(width, 32) / 4
        state[f"classifier.{name}.bias"] = torch.randn(width) / 4
    config.save_pretrained(tmp_path / "net")
    save_file(state, tmp_path / "net/model.safetensors", {"format": "pt"})
    (tmp_path / "net/preprocessor_config.json").write_text(json.dumps({"do_normalize": True}))
    return tmp_path / "net"


def by_hand(folder, window):
    """One window as the model card's own code computes it."""
    state = load_file(folder / "model.safetensors")
    model = Wav2Vec2Model(Wav2Vec2Config.from_pretrained(folder)).eval()
    own = {n.removeprefix("wav2vec2."): v for n, v in state.items() if n.startswith("wav2vec2.")}
    model.load_state_dict(own)
    normalised = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
    with torch.inference_mode():
        states = model(torch.from_numpy(normalised.astype(np.float32))[None]).last_hidden_state
        hidden = states.mean(1) @ state["classifier.dense.weight"].T
        hidden = torch.tanh(hidden + state["classifier.dense.bias"])
        values = hidden @ state["classifier.out_proj.weight"].T
        return (values + state["classifier.out_proj.bias"])[0].numpy()


def test_each_window_as_by_hand_and_the_last_ends_with_the_sound(folder, tmp_path):
    extractor = build({"weights": str(folder), "window_s": 1.0, "hop_s": 0.5})
    assert extractor.columns == ("arousal", "dominance", "valence")
    wave = write_wave(tmp_path / "a.wav", sound(2.3))
    rows = join(extractor.rows(wave))
    np.testing.assert_allclose(rows.start_s, [0, 0.5, 1.0, 1.3])
    np.testing.assert_allclose(rows.end_s - rows.start_s, 1.0)
    samples = sound(2.3) / np.float32(32768)
    for start_s, values in zip(rows.start_s, rows.values, strict=True):
        start = round(start_s * RATE)
        expected = by_hand(folder, samples[start : start + RATE])
        np.testing.assert_allclose(values, expected, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.001, 0.4, 1.0])
def test_short_sound_is_one_window(folder, tmp_path, seconds):
    extractor = build({"weights": str(folder), "window_s": 1.0, "hop_s": 0.5})
    rows = join(extractor.rows(write_wave(tmp_path / "a.wav", sound(seconds))))
    assert rows.values.shape == (1, 3)
    assert rows.end_s == pytest.approx(seconds)
    assert np.isfinite(rows.values).all()


def test_other_checkpoints_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    labels = {"0": "valence", "1": "dominance", "2": "arousal"}
    (folder / "config.json").write_text(json.dumps({**config, "id2label": labels}))
    with pytest.raises(RequestError, match="predict valence, dominance, arousal, not arousal"):
        build({"weights": str(folder)})
    (folder / "config.json").write_text(json.dumps(config))
    state = load_file(folder / "model.safetensors")
    headless = {name: value for name, value in state.items() if "classifier" not in name}
    save_file(headless, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RequestError, match=r"4 missing \(classifier.dense.bias"):
        build({"weights": str(folder)})


def test_random_weights_are_for_trials(tmp_path):
    extractor = build({"weights": "random:3", "window_s": 1.0})
    values = join(extractor.rows(write_wave(tmp_path / "a.wav", sound(1.5)))).values
    again = build({"weights": "random:3", "window_s": 1.0})
    np.testing.assert_array_equal(join(again.rows(tmp_path / "a.wav")).values, values)

"""wav2vec 2.0: against torchaudio, in windows, and from the published formats."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchaudio.models.wav2vec2.utils import import_huggingface_model
from transformers import Wav2Vec2ForCTC, Wav2Vec2Model

from circumplex.errors import RequestError
from circumplex.features.extractors import speech, wav2vec2
from circumplex.media.wave import WaveFile
from circumplex.networks.weights import Weights, build_network
from waves import join, sound, write_wave

SMALL = {"weights": "random:1", "size": "small"}


@pytest.fixture(scope="module")
def small_model() -> Wav2Vec2Model:
    config = wav2vec2.random_config(wav2vec2.Size.SMALL)
    return build_network(lambda: Wav2Vec2Model(config), Weights(seed=1))


def torchaudio_tokens(model: Wav2Vec2Model, samples: np.ndarray) -> np.ndarray:
    """The same weights in torchaudio's implementation, on normalised sound."""
    values = samples.astype(np.float64) / 32768
    values = (values - values.mean()) / np.sqrt(values.var() + 1e-7)
    twin = import_huggingface_model(model).eval()
    with torch.inference_mode():
        features, _ = twin.extract_features(torch.from_numpy(values).float()[None])
    return features[-1][0].numpy()


def test_wav2vec2_equals_torchaudios_implementation(tmp_path, small_model) -> None:
    samples = sound(3)
    rows = join(wav2vec2.build(SMALL).rows(write_wave(tmp_path / "a.wav", samples)))
    expected = torchaudio_tokens(small_model, samples)
    assert rows.values.shape == expected.shape == (149, 768)
    np.testing.assert_allclose(rows.values, expected, rtol=0, atol=1e-4)
    assert rows.start_s == pytest.approx(np.arange(149) * 0.02)
    assert rows.end_s == pytest.approx(np.arange(149) * 0.02 + 0.025)


def test_wav2vec2_in_windows_stays_close_to_one_pass(tmp_path) -> None:
    path = write_wave(tmp_path / "a.wav", sound(9.37))
    whole = join(wav2vec2.build(SMALL).rows(path))
    pieces = list(wav2vec2.build({**SMALL, "window_s": 2.0, "context_s": 1.0}).rows(path))
    parts = join(pieces)
    assert [len(piece.values) for piece in pieces] == [150, 100, 100, 118]
    assert np.array_equal(parts.start_s, whole.start_s)
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(parts.values, whole.values, strict=True)]
    assert min(correlation) > 0.97
    shifted = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(parts.values[1:], whole.values, strict=False)
    ]
    assert np.mean(shifted) < np.mean(correlation) - 0.02


def test_wav2vec2_ignores_the_level_of_the_whole_file(tmp_path) -> None:
    samples = sound(1.5)
    extractor = wav2vec2.build(SMALL)
    loud = join(extractor.rows(write_wave(tmp_path / "a.wav", samples * 2 + 3000)))
    soft = join(extractor.rows(write_wave(tmp_path / "b.wav", samples)))
    np.testing.assert_allclose(loud.values, soft.values, rtol=1e-2, atol=1e-2)


def test_wav2vec2_statistics_are_of_all_blocks(tmp_path, monkeypatch) -> None:
    samples = sound(2) + 500
    with WaveFile(write_wave(tmp_path / "a.wav", samples)) as file:
        monkeypatch.setattr(speech, "STATISTICS_BLOCK", 7001)
        mean, deviation = speech.statistics(file)
    values = samples / 32768
    assert mean == pytest.approx(values.mean())
    assert deviation == pytest.approx(values.std(), rel=1e-4)


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_wav2vec2_loads_a_fine_tuned_folder(tmp_path, small_model, kind) -> None:
    tuned = Wav2Vec2ForCTC(small_model.config)
    tuned.wav2vec2.load_state_dict(small_model.state_dict())
    folder = tmp_path / "model"
    tuned.save_pretrained(folder)
    if kind == "bin":
        (folder / "model.safetensors").unlink()
        torch.save(tuned.state_dict(), folder / "pytorch_model.bin")
    path = write_wave(tmp_path / "a.wav", sound(1))
    loaded = wav2vec2.build({"weights": str(folder)})
    found, expected = join(loaded.rows(path)), join(wav2vec2.build(SMALL).rows(path))
    assert np.array_equal(found.values, expected.values)


def test_wav2vec2_refuses_folders_that_do_not_fit(tmp_path, small_model) -> None:
    folder = tmp_path / "model"
    options = {"weights": str(folder)}
    with pytest.raises(RequestError, match="model are missing: put"):
        wav2vec2.build(options)
    folder.mkdir()
    with pytest.raises(RequestError, match=r"expected a folder with config\.json"):
        wav2vec2.build(options)
    small_model.config.save_pretrained(folder)
    state = {f"wav2vec2.{key}": value for key, value in small_model.state_dict().items()}
    del state["wav2vec2.encoder.layers.1.attention.k_proj.bias"]
    torch.save({**state, "head": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(RequestError, match=r"1 missing \(.*k_proj\.bias\); 1 unexpected \(head\)"):
        wav2vec2.build(options)
    (folder / "config.json").write_text("{")
    with pytest.raises(RequestError, match="cannot be read"):
        wav2vec2.build(options)


def published_names(model: Wav2Vec2Model) -> dict[str, torch.Tensor]:
    """State dict as facebook/wav2vec2-base-960h has it: fine-tuned, and of 2021."""
    old = {"parametrizations.weight.original0": "weight_g"}
    old["parametrizations.weight.original1"] = "weight_v"
    state = {}
    for name, tensor in model.state_dict().items():
        for new, was in old.items():
            name = name.replace(new, was)
        state[f"wav2vec2.{name}"] = tensor.clone()
    del state["wav2vec2.masked_spec_embed"]  # the published file has none
    head = torch.nn.Linear(768, 32)
    return {**state, "lm_head.weight": head.weight.detach(), "lm_head.bias": head.bias.detach()}


def write_published(folder: Path, model: Wav2Vec2Model, kind: str, state) -> dict[str, object]:
    folder.mkdir()
    model.config.save_pretrained(folder)
    if kind == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return {"weights": str(folder)}


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_wav2vec2_loads_the_published_names(tmp_path, small_model, kind) -> None:
    state = published_names(small_model)
    assert state["wav2vec2.encoder.pos_conv_embed.conv.weight_g"].shape == (1, 1, 128)
    options = write_published(tmp_path / "model", small_model, kind, state)
    path = write_wave(tmp_path / "a.wav", sound(1))
    found = join(wav2vec2.build(options).rows(path))
    assert np.array_equal(found.values, join(wav2vec2.build(SMALL).rows(path)).values)


BIAS = "wav2vec2.encoder.layers.0.feed_forward.output_dense.bias"


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize("defect", ["missing", "extra", "misshaped"])
def test_wav2vec2_names_the_key_that_does_not_fit(tmp_path, small_model, kind, defect) -> None:
    state = published_names(small_model)
    if defect == "extra":
        state["wav2vec2.encoder.more"] = torch.zeros(1)
    elif defect == "missing":
        del state[BIAS]
    else:
        state[BIAS] = torch.zeros(7)
    options = write_published(tmp_path / "model", small_model, kind, state)
    named = "encoder.more" if defect == "extra" else BIAS.removeprefix("wav2vec2.")
    with pytest.raises(RequestError, match=re.escape(named)):
        wav2vec2.build(options)


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def test_wav2vec2_never_runs_what_a_pickle_holds(tmp_path, small_model, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = {**published_names(small_model), "lm_head.bias": Payload()}
    options = write_published(tmp_path / "model", small_model, "bin", state)
    with pytest.raises(RequestError, match=r"model cannot be (loaded|read)"):
        wav2vec2.build(options)
    assert not Path("touched").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_wav2vec2_refuses_a_file_that_is_cut_short(tmp_path, small_model, name) -> None:
    kind = name.rpartition(".")[2]
    state = published_names(small_model)
    options = write_published(tmp_path / "model", small_model, kind, state)
    content = (tmp_path / "model" / name).read_bytes()
    (tmp_path / "model" / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(RequestError, match=r"model cannot be (loaded|read)"):
        wav2vec2.build(options)


def test_wav2vec2_base_is_the_published_configuration() -> None:
    config = wav2vec2.random_config(wav2vec2.Size.BASE)
    assert config.hidden_size == wav2vec2.FEATURES == 768
    assert (config.num_hidden_layers, config.num_attention_heads) == (12, 12)
    assert (config.intermediate_size, config.feat_extract_norm) == (3072, "group")
    assert config.conv_dim == (512,) * 7 or list(config.conv_dim) == [512] * 7
    assert speech.stride_and_field(config.conv_kernel, config.conv_stride) == (320, 400)

"""The extractors that run any network of a kind: speech encoders, timm, Vision Transformers, MFCC.

Networks are made small here, in the formats that are published.
"""

import json
import wave
from importlib import import_module

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.fft import dct
from transformers import (
    AutoImageProcessor,
    BertConfig,
    BertModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    HubertConfig,
    HubertForCTC,
    ViTConfig,
    ViTForImageClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from circumplex.config.features import FEATURES, options_of
from circumplex.errors import ModalityAbsent, RequestError
from circumplex.features.extractors import mfcc, speech, vit
from circumplex.features.extractors import timm as backbones
from circumplex.pipeline.resources import needs
from example_requests import builder_of, config_of, request_config

RATE = 16_000
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
SPEECH = {**SMALL, "conv_dim": (16,) * 7}
IMAGE = {**SMALL, "image_size": 32, "patch_size": 8}


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
        ({"layer": True}, r"features.speech.layer: True"),
        ({"window_s": 1.01}, r"features.speech.window_s: 1.01 is no multiple of 0.02"),
        ({"speed": 1}, r"features.speech.speed: unknown option"),
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


# Images


def crops(count):
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    resized = [
        Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC) for image in small
    ]
    return np.stack([np.asarray(image) for image in resized])


def embed(extractor, images):
    return extractor.embed(np.stack([extractor.prepare(image) for image in images]))


ARCHITECTURE = "resnet10t.c3_in1k"


@pytest.fixture(scope="module")
def published_backbone(tmp_path_factory):
    """A timm network with its classifier, as published, and its options."""
    network = seeded(lambda: timm.create_model(ARCHITECTURE))
    path = tmp_path_factory.mktemp("timm") / "model.safetensors"
    save_file(network.state_dict(), path)
    options = {"architecture": ARCHITECTURE, "dimension": 512, "batch_size": 2}
    return network, {**options, "weights": str(path)}


def test_a_timm_backbone_gives_its_pooled_features(published_backbone):
    network, options = published_backbone
    # Independently: timm's own transform, of a crop as large as the input, and its own pooling.
    described = timm.data.resolve_model_data_config(network)
    transform = timm.data.create_transform(**{**described, "crop_pct": 1.0})
    images = crops(2)
    batch = torch.stack([transform(Image.fromarray(image)) for image in images])
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(batch), pre_logits=True)
    found = embed(backbones.build(options), images)
    assert described["mean"] != (0.5, 0.5, 0.5)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_timm_weights_that_do_not_fit_are_refused(published_backbone, tmp_path):
    network, options = published_backbone
    for changes, problem in (
        ({"architecture": "resnet10"}, "timm has no 'resnet10'"),
        ({"architecture": "resnet10t.no_such_tag"}, "timm has no 'resnet10t.no_such_tag'"),
        ({"dimension": 1000}, r"features.timm.dimension is 1000, .* gives 512"),
        ({"architecture": "resnet18.a1_in1k"}, r"do not fit ResNet: .* missing .* unexpected"),
    ):
        with pytest.raises(RequestError, match=problem):
            backbones.build({**options, **changes})
    state = network.state_dict()
    state["surplus"] = torch.zeros(1)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(RequestError, match=r"1 unexpected \(surplus\)"):
        backbones.build({**options, "weights": str(tmp_path / "w.safetensors")})


VITS = [
    (lambda: Dinov2Model(Dinov2Config(**SMALL, image_size=70, patch_size=14)), "cropped"),
    (lambda: Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**IMAGE)), "plain"),
    (lambda: ViTForImageClassification(ViTConfig(**IMAGE)), "plain"),
]
PREPROCESSORS = {
    "cropped": {
        "image_processor_type": "BitImageProcessor",
        "do_center_crop": True,
        "crop_size": {"height": 56, "width": 56},
        "size": {"shortest_edge": 56},
        "resample": 3,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
    "plain": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.4, 0.5, 0.6],
    },
}


@pytest.mark.parametrize(("make", "kind"), VITS, ids=["dinov2", "registers", "vit"])
def test_a_vision_transformer_gives_its_last_tokens(tmp_path, make, kind):
    whole = seeded(make)
    whole.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPROCESSORS[kind]))
    images = crops(2)
    # Independently: transformers' own image processor, and the hidden states by position.
    processor = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    batch = processor(list(images), return_tensors="pt").pixel_values
    model = getattr(whole, "vit", whole)
    with torch.inference_mode():
        tokens = model(pixel_values=batch).last_hidden_state
    first = 1 + getattr(whole.config, "num_register_tokens", 0)
    assert tokens.shape[1] == first + 16
    expected = {"cls": tokens[:, 0], "mean": tokens[:, first:].mean(1)}
    options = {"weights": str(tmp_path), "dimension": 32, "batch_size": 2}
    for pooling, values in expected.items():
        found = embed(vit.build({**options, "pooling": pooling}), images)
        np.testing.assert_allclose(found, values.numpy(), rtol=0, atol=1e-3, err_msg=pooling)


def test_vit_folders_that_do_not_fit_are_refused(tmp_path):
    BertModel(BertConfig(**SMALL)).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPROCESSORS["plain"]))
    options = {"weights": str(tmp_path), "dimension": 32}
    with pytest.raises(RequestError, match="are of a bert model, none of deit, dinov2"):
        vit.build(options)
    with pytest.raises(RequestError, match=r"features.vit.dimension: 30 is no multiple of 4"):
        vit.build({"weights": "random:0", "dimension": 30})
    with pytest.raises(RequestError, match=r"vit.pooling is 'max', .* \['cls', 'mean'\]"):
        vit.build({"weights": "random:0", "pooling": "max"})


STAND_INS = [
    (backbones, {"architecture": ARCHITECTURE, "dimension": 512}),
    (vit, {"dimension": 16}),
    (vit, {"dimension": 16, "precision": "bfloat16"}),
]


@pytest.mark.parametrize(("module", "options"), STAND_INS)
def test_a_crop_has_the_same_bits_at_any_position(module, options):
    extractor = module.build({"weights": "random:1", "batch_size": 3, **options})
    images = crops(3)
    found = embed(extractor, images)
    assert np.isfinite(found).all()
    assert found.std(0).mean() > 0
    assert np.array_equal(embed(extractor, images[[2, 0, 1]]), found[[2, 0, 1]])


def test_a_random_speech_encoder_says_what_it_needs(tmp_path):
    options = {"weights": "random:1", "layer": "mean", "dimension": 32}
    path = write_wave(tmp_path / "a.wav", sound(0.4))
    assert values_of(speech.build(options), path).shape == (19, 32)
    with pytest.raises(RequestError, match=r"features.speech.dimension: 30 is no multiple of 16"):
        speech.build({**options, "dimension": 30})


# MFCC


def test_mfcc_by_numpy(tmp_path):
    samples = sound(0.3)
    rows = next(iter(mfcc.build({"dimension": 13}).rows(write_wave(tmp_path / "a.wav", samples))))
    hann = np.sin(np.pi * np.arange(400) / 400) ** 2
    frames = np.stack([samples[k * 160 : k * 160 + 400] / 32768 * hann for k in range(28)])
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 66)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = np.linspace(0, 8000, 257)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    energies = power @ np.clip(np.minimum(rising, falling), 0, None).T
    expected = dct(np.log(energies + 1e-6), norm="ortho")[:, :13]
    np.testing.assert_allclose(rows.values, expected, rtol=1e-3, atol=1e-3)
    assert rows.start_s == pytest.approx(np.arange(28) * 0.01)
    assert rows.end_s == pytest.approx(np.arange(28) * 0.01 + 0.025)


def test_mfcc_of_long_sound_comes_in_pieces_of_the_same_values(tmp_path, monkeypatch):
    path = write_wave(tmp_path / "a.wav", sound(1.234))
    extractor = mfcc.build({})
    whole = values_of(extractor, path)
    monkeypatch.setattr(mfcc, "ROWS_AT_ONCE", 50)
    assert [len(piece.values) for piece in extractor.rows(path)] == [50, 50, 21]
    np.testing.assert_allclose(values_of(extractor, path), whole, atol=1e-4)
    assert extractor.columns[:2] == ("mfcc0", "mfcc1")


@pytest.mark.parametrize("samples", [1, 399, 400, 559, 560])
def test_mfcc_of_short_and_silent_sound(tmp_path, samples):
    values = values_of(mfcc.build({}), write_wave(tmp_path / "a.wav", np.zeros(samples)))
    assert values.shape == (2 if samples == 560 else 1, 20)
    assert np.isfinite(values).all()


def test_mfcc_refuses(tmp_path):
    with pytest.raises(
        RequestError, match=r"mfcc.dimension is 65: must be an integer from 1 to 64"
    ):
        mfcc.build({"dimension": 65})
    with pytest.raises(ModalityAbsent):
        values_of(mfcc.build({}), write_wave(tmp_path / "a.wav", np.zeros(0)))


# In the workflow


def test_every_feature_has_all_its_parts():
    """What docs/extractors.md asks for."""
    config = config_of()["features"]
    for name, feature in FEATURES.items():
        assert callable(import_module(f"circumplex.features.extractors.{name}").build)
        assert options_of(name).read(config[name]).plain() == config[name]
        assert ("dimension" in config[name]) == (feature.dimension is None)
        assert needs()[feature.stage] is feature.need
        assert feature.text is not None


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (backbones, {"architecture": ARCHITECTURE}),
        (vit, {}),
        (speech, {"layer": "last"}),
    ],
)
def test_a_second_network_of_a_kind_has_a_name_of_its_own(module, options):
    options = {"weights": "random:0", "dimension": 512, **options}
    assert module.build(options, "cpu", "other").name == "other"
    with pytest.raises(RequestError, match=r"unknown key 'surplus' at features\.other"):
        module.build({**options, "surplus": 1}, "cpu", "other")


ADDED = ["timm", "vit", "speech", "mfcc"]


def test_a_pack_has_the_dimension_that_the_config_declares(tmp_path):
    experiment = {"encoder": "lstm", "features": ADDED, "strategy": "official", "seeds": [0]}
    changes = {
        "features": {
            "timm": {"weights": "random:0", "dimension": 512},
            "vit": {"weights": "random:0"},
            "speech": {"weights": "random:0"},
            "mfcc": {"dimension": 13},
        },
        "experiments": {"x": experiment},
        "ensembles": {"main": {"valence": ["x"], "arousal": ["x"]}},
    }
    builder = builder_of(request_config(tmp_path, changes), tmp_path)
    requests = {name: builder.request("pack_features", f"{name}/000-of-001") for name in ADDED}
    dimensions = {name: request.dimension for name, request in requests.items()}
    assert dimensions == {"timm": 512, "vit": 384, "speech": 768, "mfcc": 13}
    assert builder.request("pack_features", "fau/000-of-001").dimension == 512
    assert [feature.name for feature in builder.plan.features] == ADDED


def test_networks_that_no_experiment_uses_need_no_weights(tmp_path):
    builder = builder_of(request_config(tmp_path), tmp_path)
    assert not set(ADDED) & {feature.name for feature in builder.plan.features}
    assert not any(problem.startswith(tuple(ADDED)) for problem in builder.weights.problems())

"""Checkpoints of the published names, shapes and formats, in full size, through the extractors."""

import math
import wave

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchaudio.models.wav2vec2.utils import import_huggingface_model
from transformers import Wav2Vec2Config, Wav2Vec2Model

from circumplex.errors import RequestError
from circumplex.features.extractors import densenet, fau, iresnet, vggish, wav2vec2
from networks_by_hand import (
    arcface_shapes,
    densenet_by_hand,
    iresnet_by_hand,
    log_mel_by_hand,
    vggish_by_hand,
)

Shapes = dict[str, tuple[int, ...]]
R100 = (3, 13, 30, 3)


def made_state(shapes: Shapes, damped: str = "") -> dict[str, torch.Tensor]:
    """Values of its own for every tensor; norms that end in ``damped`` keep deep sums small."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var"):
            state[name] = 0.8 + 0.4 * torch.rand(shape, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            state[name] = 0.1 * torch.randn(shape, generator=generator)
        elif len(shape) == 1:
            state[name] = 0.3 + 0.6 * torch.rand(shape, generator=generator)
            if damped and name.endswith(damped):
                state[name] *= 0.15
        else:
            fan_in = math.prod(shape[1:])
            state[name] = torch.randn(shape, generator=generator) / math.sqrt(fan_in)
    return state


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def add_norm(shapes: Shapes, name: str, channels: int) -> None:
    for part in ("weight", "bias", "running_mean", "running_var"):
        shapes[f"{name}.{part}"] = (channels,)
    shapes[f"{name}.num_batches_tracked"] = ()


@pytest.fixture(scope="module")
def glint360k(tmp_path_factory):
    """A checkpoint as ArcFace's training writes it, and its state dict."""
    state = made_state(arcface_shapes(R100), damped="bn3.weight")
    path = tmp_path_factory.mktemp("arcface") / "backbone.pth"
    torch.save(state, path)
    return path, state


@pytest.mark.slow
@torch.inference_mode()
def test_iresnet100_of_arcface(glint360k) -> None:
    path, state = glint360k
    faces = torch.from_numpy(crops(2)).permute(0, 3, 1, 2) / 127.5 - 1
    expected = iresnet_by_hand(faces, state, R100).numpy()
    assert np.abs(expected).std() > 0.05
    for module in (iresnet, fau):
        extractor = module.build({"weights": str(path), "batch_size": 2})
        error = np.abs(extractor.embed(crops(2)) - expected).max()
        assert error < 1e-4 * np.abs(expected).max()


def test_iresnet100_names_the_keys_that_do_not_fit(glint360k, tmp_path) -> None:
    state = {
        **glint360k[1],
        "layer3.30.bn1.weight": torch.ones(256),
        "fc.weight": torch.ones(512, 9),
    }
    del state["layer3.29.bn3.running_var"]
    torch.save(state, tmp_path / "backbone.pth")
    problem = (
        r"1 missing \(layer3\.29\.bn3\.running_var\); 1 unexpected \(layer3\.30\.bn1\.weight\); "
        r"1 misshaped \(fc\.weight \(512, 9\) instead of \(512, 25088\)\)"
    )
    with pytest.raises(RequestError, match=problem):
        fau.build({"weights": str(tmp_path / "backbone.pth")})


def densenet_shapes() -> Shapes:
    """Of the authors' published FER+ code: torchvision's names, a stem of their own."""
    shapes: Shapes = {"features.conv0.weight": (24, 1, 3, 3)}
    channels = 24
    for block in (1, 2, 3):
        for layer in range(1, 17):
            name = f"features.denseblock{block}.denselayer{layer}"
            add_norm(shapes, f"{name}.norm1", channels)
            shapes[f"{name}.conv1.weight"] = (48, channels, 1, 1)
            add_norm(shapes, f"{name}.norm2", 48)
            shapes[f"{name}.conv2.weight"] = (12, 48, 3, 3)
            channels += 12
        if block < 3:
            name = f"features.transition{block}"
            add_norm(shapes, f"{name}.norm", channels)
            shapes[f"{name}.conv.weight"] = (channels // 2, channels, 1, 1)
            channels //= 2
    add_norm(shapes, "features.norm3", 342)
    return {**shapes, "classifier.weight": (8, 342), "classifier.bias": (8,)}


@torch.inference_mode()
def test_densenet_of_the_authors(tmp_path) -> None:
    state = made_state(densenet_shapes())
    torch.save(state, tmp_path / "densenet.pth")
    extractor = densenet.build({"weights": str(tmp_path / "densenet.pth")})
    images = np.stack([extractor.prepare(crop) for crop in crops(2)])
    pixels = torch.from_numpy(images)[:, None].float()
    expected = densenet_by_hand((pixels - 131.0754) / 47.858177, state).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(extractor.embed(images), expected, rtol=1e-3, atol=1e-4)


def vggish_shapes() -> Shapes:
    """Of vggish-10086976.pth."""
    shapes: Shapes = {}
    sizes = {0: (64, 1), 3: (128, 64), 6: (256, 128), 8: (256, 256), 11: (512, 256), 13: (512, 512)}
    for place, size in sizes.items():
        shapes[f"features.{place}.weight"] = (*size, 3, 3)
        shapes[f"features.{place}.bias"] = size[:1]
    for place, size in {0: (4096, 12288), 2: (4096, 4096), 4: (128, 4096)}.items():
        shapes[f"embeddings.{place}.weight"] = size
        shapes[f"embeddings.{place}.bias"] = size[:1]
    return shapes


@pytest.mark.slow
@torch.inference_mode()
def test_vggish_of_the_common_port(tmp_path) -> None:
    state = made_state(vggish_shapes())
    path = tmp_path / "vggish-10086976.pth"
    torch.save(state, path)
    assert sum(value.numel() for value in state.values()) == 72_141_184
    extractor = vggish.build({"weights": str(path), "batch_size": 2})
    sounds = np.random.default_rng(0).normal(0, 0.1, (2, 15600)).astype("f4")
    examples = torch.from_numpy(np.stack([log_mel_by_hand(sound) for sound in sounds]))[:, None]
    expected = vggish_by_hand(examples.float(), state).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(extractor.embed(sounds), expected, rtol=1e-3, atol=1e-4)


def wav2vec2_shapes() -> Shapes:
    """Of facebook/wav2vec2-base-960h, whose file is of 2021 and has a head for letters."""
    shapes: Shapes = {}
    body = "wav2vec2"
    kernels = (10, 3, 3, 3, 3, 2, 2)
    for layer, kernel in enumerate(kernels):
        inputs = 512 if layer else 1
        name = f"{body}.feature_extractor.conv_layers.{layer}"
        shapes[f"{name}.conv.weight"] = (512, inputs, kernel)

    def add(name: str, *shape: int) -> None:
        shapes[f"{body}.{name}.weight"] = shape
        shapes[f"{body}.{name}.bias"] = shape[:1]

    add("feature_extractor.conv_layers.0.layer_norm", 512)
    add("feature_projection.layer_norm", 512)
    add("feature_projection.projection", 768, 512)
    position = f"{body}.encoder.pos_conv_embed.conv"
    shapes[f"{position}.bias"] = (768,)
    shapes[f"{position}.weight_g"] = (1, 1, 128)
    shapes[f"{position}.weight_v"] = (768, 48, 128)
    add("encoder.layer_norm", 768)
    for layer in range(12):
        name = f"encoder.layers.{layer}"
        for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
            add(f"{name}.attention.{part}", 768, 768)
        add(f"{name}.layer_norm", 768)
        add(f"{name}.feed_forward.intermediate_dense", 3072, 768)
        add(f"{name}.feed_forward.output_dense", 768, 3072)
        add(f"{name}.final_layer_norm", 768)
    return {**shapes, "lm_head.weight": (32, 768), "lm_head.bias": (32,)}


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_wav2vec2_base_960h(tmp_path, kind) -> None:
    state = made_state(wav2vec2_shapes())
    Wav2Vec2Config().save_pretrained(tmp_path)
    if kind == "bin":
        torch.save(state, tmp_path / "pytorch_model.bin")
    else:
        save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    samples = np.random.default_rng(0).normal(0, 3000, 9000).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(samples.tobytes())
    extractor = wav2vec2.build({"weights": str(tmp_path)})
    (found,) = extractor.rows(tmp_path / "a.wav")

    # torchaudio's network, filled by its own reading of the names.
    with torch.device("meta"):
        empty = Wav2Vec2Model(Wav2Vec2Config())
    own = {name.removeprefix("wav2vec2."): value for name, value in state.items()}
    position = "encoder.pos_conv_embed.conv"
    norms = {"original0": "weight_g", "original1": "weight_v"}
    for new, old in norms.items():
        own[f"{position}.parametrizations.weight.{new}"] = own.pop(f"{position}.{old}")
    empty.load_state_dict(
        {name: own.get(name, torch.zeros(768)) for name in empty.state_dict()}, assign=True
    )
    twin = import_huggingface_model(empty).eval()
    values = samples / 32768
    values = (values - values.mean()) / np.sqrt(values.var() + 1e-7)
    features, _ = twin.extract_features(torch.from_numpy(values).float()[None])
    expected = features[-1][0].numpy()
    assert found.values.shape == expected.shape == (27, 768)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-4 * np.abs(expected).max())

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    BertConfig,
    BertModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTForImageClassification,
)

from circumplex.errors import RequestError
from circumplex.features.extractors import vit

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}


IMAGE = {**SMALL, "image_size": 32, "patch_size": 8}


def seeded(make):
    torch.manual_seed(0)
    return make().eval()


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

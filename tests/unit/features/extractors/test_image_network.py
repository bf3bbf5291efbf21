import numpy as np
import pytest
from PIL import Image

from circumplex.features.extractors import timm as backbones
from circumplex.features.extractors import vit


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


NETWORKS = [
    (backbones, {"architecture": ARCHITECTURE, "dimension": 512}),
    (vit, {"dimension": 16}),
    (vit, {"dimension": 16, "precision": "bfloat16"}),
]


@pytest.mark.parametrize(("module", "options"), NETWORKS)
def test_a_crop_has_the_same_bits_at_any_position(module, options):
    extractor = module.build({"weights": "random:1", "batch_size": 3, **options})
    images = crops(3)
    found = embed(extractor, images)
    assert np.isfinite(found).all()
    assert found.std(0).mean() > 0
    assert np.array_equal(embed(extractor, images[[2, 0, 1]]), found[[2, 0, 1]])

import numpy as np
import pytest
import torch
from PIL import Image

from circumplex.errors import RequestError
from circumplex.features.extractors import timm as backbones
from circumplex.features.extractors import vit
from circumplex.features.extractors.image_network import BackboneExtractor
from circumplex.networks.arithmetic import Arithmetic


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


class Centre(torch.nn.Module):
    """Gives the three channels of the pixel in the middle."""

    def forward(self, images):
        side = images.shape[-1]
        return images[:, :, side // 2, side // 2]


def centre_extractor(dimension=3):
    return BackboneExtractor(
        "x",
        Centre(),
        side=7,
        resample=Image.Resampling.BILINEAR,
        mean=(0.1, 0.2, 0.3),
        deviation=(0.5, 0.25, 0.2),
        dimension=dimension,
        batch_size=2,
        arithmetic=Arithmetic(),
        device="cpu",
    )


def test_a_crop_is_resized_and_each_channel_normalised():
    extractor = centre_extractor()
    crop = np.empty((112, 112, 3), np.uint8)
    crop[:] = (51, 102, 204)
    prepared = extractor.prepare(crop)
    assert prepared.shape == (7, 7, 3)
    expected = [(0.2 - 0.1) / 0.5, (0.4 - 0.2) / 0.25, (0.8 - 0.3) / 0.2]
    np.testing.assert_allclose(extractor.embed(np.stack([prepared] * 2)), [expected] * 2, rtol=1e-5)


def test_another_dimension_than_the_networks_is_refused():
    with pytest.raises(RequestError, match=r"features\.x\.dimension is 4, .* dimension: 3"):
        centre_extractor(dimension=4)

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from circumplex.errors import RequestError
from circumplex.features.extractors import timm as backbones


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

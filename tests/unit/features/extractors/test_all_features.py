"""What every feature of the registry must have and do."""

from importlib import import_module

import numpy as np
import pytest
from PIL import Image

from circumplex.config.features import FEATURES, options_of
from circumplex.errors import RequestError
from circumplex.features.extractors import speech, vit
from circumplex.features.extractors import timm as backbones
from circumplex.pipeline.resources import needs
from example_requests import builder_of, config_of, request_config

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

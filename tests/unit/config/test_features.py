"""The features that modules of `circumplex.config.extractors` declare."""

import sys

import pytest

import circumplex.config.extractors
from circumplex.config import features
from circumplex.config.features import FEATURES, Environment, Feature, options_of
from circumplex.config.modalities import Modality
from circumplex.errors import RequestError
from places import SCRIPTS

LOUDNESS = '''"""Loudness of the sound."""

from pydantic import Field

from circumplex.config.feature_options import FeatureOptions
from circumplex.config.features import Feature
from circumplex.config.modalities import Framing, Modality

FEATURE = Feature("loudness", Modality.AUDIO, 1, Framing.MEAN)


class Options(FeatureOptions):
    """Options of the feature ``loudness``."""

    floor_db: float = Field(-80.0, ge=-200, le=0, description="decibels")
'''


def test_the_order_is_visual_first_and_the_papers_first():
    assert list(FEATURES) == [
        *("densenet", "iresnet", "fau", "timm", "vit", "mini_xception", "onnx"),
        "densenet_expressions",
        *("egemaps", "compare", "vggish", "wav2vec2", "speech", "mfcc", "msp_dim"),
    ]


def test_each_feature_says_what_a_rule_must_know():
    for name, feature in FEATURES.items():
        options = options_of(name)
        assert feature.name == name
        assert feature.text is not None
        assert feature.need is not None
        assert feature.need.gpu == (feature.deep and name != "onnx")  # onnxruntime's CPU build
        assert (SCRIPTS.parents[1] / f"envs/{feature.environment}.yaml").is_file()
        assert set(feature.weight_keys) == {"weights", "pca"} & set(options.model_fields)
        assert bool(feature.weight_keys) == feature.deep
        assert options.model_fields["dimension"].default == (
            None if feature.dimension else options.model_fields["dimension"].default
        )
        assert options().plain() == options.read(options().plain()).plain()
        extractor = SCRIPTS / "circumplex/features/extractors" / f"{name}.py"
        assert "\ndef build(" in extractor.read_text(encoding="utf-8")


def test_a_new_module_is_a_new_feature(tmp_path, monkeypatch):
    (tmp_path / "loudness.py").write_text(LOUDNESS)
    package = circumplex.config.extractors
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    try:
        found = features._Registry()
        assert list(found) == [*FEATURES, "loudness"]
        assert found["loudness"].environment is Environment.LIGHT
        assert options_of("loudness").read({}).plain() == {"floor_db": -80.0}
        with pytest.raises(RequestError, match=r"loudness\.floor_db is 3: must be a number"):
            options_of("loudness").read({"floor_db": 3}, "features.loudness")
    finally:
        sys.modules.pop("circumplex.config.extractors.loudness", None)
        features._module.cache_clear()


def test_an_imported_feature_is_declared_by_its_form_alone():
    feature = Feature("own", Modality.AUDIO, 7, imported=True)
    assert feature.stage == "import_own"
    assert feature.need is None

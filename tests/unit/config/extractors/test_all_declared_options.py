"""The options that every extractor declares: ranges, defaults and what they say of themselves."""

import string

import pytest

from circumplex.config.features import FEATURES, options_of
from circumplex.config.modalities import Framing, Modality
from circumplex.config.slots import fields_of
from circumplex.errors import RequestError
from circumplex.pipeline.stage_context import LIBRARY
from example_requests import config_of

MODULES = {path.stem for path in (LIBRARY / "config" / "extractors").glob("[!_]*.py")}


def given(name):
    """Options that an extractor without defaults of its own needs."""
    return dict(config_of()["features"].get(name, {}))


def test_each_module_declares_the_feature_of_its_name():
    assert set(FEATURES) == MODULES
    assert all(feature.name == name for name, feature in FEATURES.items())


def test_dimensions_are_the_papers():
    """Section 3.2; openSMILE's sets have 23 and 130 low-level descriptors, VGGish 128 values."""
    found = {name: FEATURES[name].dimension for name in ("densenet", "iresnet", "fau", "wav2vec2")}
    assert found == {"densenet": 342, "iresnet": 512, "fau": 512, "wav2vec2": 768}
    assert [FEATURES[name].dimension for name in ("egemaps", "compare", "vggish")] == [23, 130, 128]


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_a_feature_of_sound_has_a_framing_and_one_of_pictures_has_none(name):
    feature = FEATURES[name]
    assert isinstance(feature.framing, Framing) == (feature.modality is Modality.AUDIO)


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_an_unknown_option_is_refused_by_name(name):
    with pytest.raises(RequestError, match="unknown key 'surplus'"):
        options_of(name).read({**given(name), "surplus": 1})


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_options_that_name_weights_are_those_of_the_feature(name):
    fields = set(fields_of(options_of(name)))
    assert {key for key in ("weights", "pca") if key in fields} == set(FEATURES[name].weight_keys)


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_the_card_names_only_options_that_there_are(name):
    network = FEATURES[name].text.network
    named = {key for _, key, _, _ in string.Formatter().parse(network) if key}
    assert named <= set(fields_of(options_of(name)))

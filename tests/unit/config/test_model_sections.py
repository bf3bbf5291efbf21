import pytest

from circumplex.config.encoders.registry import ENCODERS
from circumplex.config.model_sections import ENCODER_SECTIONS, Encoders, WithEncoder
from circumplex.errors import RequestError


def test_there_is_a_section_for_each_encoder_with_its_own_defaults():
    sections = Encoders.read({}).plain()
    assert set(sections) == set(ENCODERS) == set(ENCODER_SECTIONS)
    assert sections["lstm"]["segment_length"] == 100
    assert sections["transformer"]["segment_length"] == 250
    assert sections["transformer"]["layers"] == 4


def test_changes_to_the_training_hold_only_what_is_given():
    sections = Encoders.read({"gru": {"training": {"epochs": 7}}}).plain()
    assert sections["gru"]["training"] == {"epochs": 7}
    assert sections["lstm"]["training"] == {}
    chosen = WithEncoder.read({"encoder": "tcn", "training": {"batch_size": 3}})
    assert chosen.plain()["training"] == {"batch_size": 3}


def test_changes_to_the_encoder_hold_only_what_is_given():
    chosen = WithEncoder.read({"encoder": "tcn", "encoder_options": {"kernel_size": 5}})
    assert chosen.encoder_options == {"kernel_size": 5}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"encoder": "lstn"}, "there is no encoder 'lstn'; did you mean 'lstm'"),
        ({"encoder": "lstm", "encoder_options": {"kernel_size": 5}}, "unknown key 'kernel_size'"),
        ({"encoder": "tcn", "encoder_options": {"layers": 2.0}}, "layers is 2.0"),
        ({"encoder": "tcn", "training": {"epochs": 0}}, "training.epochs is 0"),
    ],
)
def test_invalid_choices_are_refused_by_key(values, message):
    with pytest.raises(RequestError, match=message):
        WithEncoder.read(values)

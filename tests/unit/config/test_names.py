import logging

import pytest

from circumplex.config.names import appearance, look_alikes, spell_out
from circumplex.config.validation import suggestion
from circumplex.pipeline.checks import warn_of_look_alikes

ALIKE = [
    ("caf\u00e9", "cafe\u0301"),
    ("video1", "vid\u200beo1"),
    ("video1", "video1\u2060"),
    ("video1", "\u202evideo1"),
    ("video1", "video\u20661\u2069"),
    ("video1", "video1\ufe0f"),
    ("a b", "a\u00a0b"),
    ("a b", "a b "),
    ("a b", "a  b"),
    ("video1", "video\uff11"),
    ("\ud55c", "\u1112\u1161\u11ab"),
    ("video1", "video\u00ad1"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_look_alike_are_paired(one, other):
    assert look_alikes([one, "x", other, one]) == [(one, other)]
    assert appearance(one) == appearance(other)


def test_other_names_are_not():
    assert (
        look_alikes(["video1", "video2", "Video1", "video1_left", "vid\u00e9o1", "video-1"]) == []
    )


def test_the_warning_names_both_and_what_differs(caplog):
    with caplog.at_level(logging.WARNING):
        warn_of_look_alikes(["caf\u00e9", "cafe\u0301", "tea"])
    (record,) = caplog.records
    assert r"'caf\xe9' and 'cafe\u0301'" in record.getMessage()
    assert "caf\u00e9 and cafe\u0301 look alike" in record.getMessage()


def test_a_name_that_looks_like_a_known_one():
    said = suggestion("cafe\u0301", ["caf\u00e9", "tea"])
    assert said == r"; 'caf\xe9' looks the same as 'cafe\u0301' but is another name"
    assert spell_out("tea") == "'tea'"

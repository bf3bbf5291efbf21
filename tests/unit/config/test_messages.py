"""Messages for what a section refuses: the place, and what to write instead."""

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import Field

from circumplex.config.messages import shorten
from circumplex.config.section import Lax, Section, Unique, Whole, defaults_of
from circumplex.errors import RequestError


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Deep(Section):
    numbers: Lax[tuple[float, ...]]
    pair: Lax[tuple[int, int]] = Field((1, 2), description="two of them")


class Shallow(Section):
    level: int = Field(0, ge=0, lt=3)


Key = Annotated[str, Field(pattern=r"^[a-z]+$")]


class Part(Section):
    stride: int = Field(ge=1, le=9, description="frames between segments")
    colour: Lax[Colour]
    plain: str = "x"
    size: Whole[Literal[7, 8]] = 8
    names: Unique[tuple[str, ...]] = ()
    flag: bool = True
    deep: Deep | None = None
    shallow: Shallow = defaults_of(Shallow)
    named: dict[Key, float] = Field({})


FINE = {"stride": 1, "colour": "red"}


def lines_of(value):
    """The message's lines; empty if the value passes."""
    try:
        Part.read(value, source="here")
    except RequestError as error:
        return str(error).splitlines()
    return []


QUOTES = ": write it in quotes; without, YAML reads 007 as 7 and no as False"
STRIDE = "must be an integer from 1 to 9 (frames between segments)"


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({}, []),
        ({"strid": 1}, ["here: unknown key 'strid' at top level; did you mean 'stride'?"]),
        (
            {"qqq": 1, "colours": 2},
            [
                "here: unknown key 'qqq' at top level; known: colour, deep, flag, named, names, "
                "plain, shallow, size, stride",
                "here: unknown key 'colours' at top level; did you mean 'colour'?",
            ],
        ),
        ({"stride": 0}, [f"here: stride is 0: {STRIDE}"]),
        ({"stride": "1"}, [f"here: stride is '1': {STRIDE}"]),
        ({"stride": 1.0}, [f"here: stride is 1.0: {STRIDE}"]),
        ({"stride": True}, [f"here: stride is True: {STRIDE}"]),
        ({"colour": "blue"}, ["here: colour is 'blue', but must be one of ['red', 'green']"]),
        ({"plain": 3}, [f"here: plain is 3: must be text{QUOTES}"]),
        ({"plain": None}, [f"here: plain is None: must be text{QUOTES}"]),
        ({"plain": ["x"]}, ["here: plain is ['x']: must be text"]),
        ({"names": ["a", 7]}, [f"here: names.1 is 7: must be text{QUOTES}"]),
        ({"names": [False]}, [f"here: names.0 is False: must be text{QUOTES}"]),
        ({"size": 9}, ["here: size is 9, but must be one of [7, 8]"]),
        ({"size": 8.0}, ["here: size is 8.0: must be an integer"]),
        ({"flag": 1}, ["here: flag is 1: must be true or false"]),
        ({"names": ["a", "a"]}, ["here: names names 'a' twice"]),
        ({"names": "a"}, ["here: names is 'a': must be a list (each text)"]),
        ({"deep": 3}, ["here: deep is 3: must be a mapping"]),
        ({"deep": {}}, ["here: deep lacks numbers"]),
        ({"deep": {"numbers": [1, "x"]}}, ["here: deep.numbers.1 is 'x': must be a number"]),
        (
            {"deep": {"numbers": [], "pair": [1]}},
            ["here: deep.pair is [1]: must be a list (2 items, each an integer) (two of them)"],
        ),
        (
            {"deep": {"numbers": [], "number": 1}},
            ["here: unknown key 'number' at deep; did you mean 'numbers'?"],
        ),
        (
            {"shallow": {"level": 3}},
            ["here: shallow.level is 3: must be an integer from 0, below 3"],
        ),
        ({"named": {"A": 1}}, ["here: named: name 'A' does not match ^[a-z]+$"]),
        ({"named": {"a": "1"}}, ["here: named.a is '1': must be a number"]),
        (
            {"stride": 0, "deep": {}, "plain": 3},
            [
                f"here: stride is 0: {STRIDE}",
                f"here: plain is 3: must be text{QUOTES}",
                "here: deep lacks numbers",
            ],
        ),
    ],
)
def test_messages(change, lines):
    assert lines_of({**FINE, **change}) == lines


def test_missing_keys_are_one_line():
    assert lines_of({"colour": "red"}) == ["here: top level lacks stride"]
    assert lines_of({}) == ["here: top level lacks stride, colour"]


def test_the_place_of_a_section_comes_first():
    with pytest.raises(RequestError, match=r"config: a\.b\.stride is 0: must be an integer"):
        Part.read({**FINE, "stride": 0}, "a.b")
    with pytest.raises(RequestError, match="config: a lacks stride, colour"):
        Part.read({}, "a")


def test_long_values_are_cut():
    assert len(lines_of({**FINE, "stride": "x" * 10_000})[0]) < 300


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("short", "'short'"),
        (1.5, "1.5"),
        ([0] * 50, "[0, 0, 0, 0, 0, 0, ...]"),
    ],
)
def test_a_refused_value_is_shown_in_short(value, shown):
    assert shorten(value) == shown


def test_a_number_too_long_to_print_is_described():
    assert shorten(10**5000) == "a number of thousands of digits"


def test_a_long_text_is_cut_in_the_middle():
    text = shorten("a" * 500 + "z" * 500)
    assert len(text) == 80
    assert text.startswith("'aaa")
    assert text.endswith("zzz'")
    assert "..." in text

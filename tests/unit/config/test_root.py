"""The whole config: what its models refuse, and that the shipped one states their defaults."""

import math
from typing import get_args, get_origin

import pytest
import yaml

from circumplex.config.documents import walk
from circumplex.config.feature_options import NetworkOptions
from circumplex.config.root import config_model, read_config
from circumplex.config.slots import Slot, describe_type, fields_of
from circumplex.errors import RequestError
from example_requests import config_of
from places import ROOT

SECTIONS = list(walk(config_model()))


def parts_of(slot: Slot) -> list[Slot]:
    """The slot, or its items' or alternatives'."""
    if get_origin(slot.type) is tuple:
        return parts_of(Slot.of(get_args(slot.type)[0]))
    if get_origin(slot.type) is dict:
        return parts_of(Slot.of(get_args(slot.type)[1]))
    if get_args(slot.type) and not isinstance(get_args(slot.type)[0], (str, int)):
        return [part for inner in get_args(slot.type) for part in parts_of(Slot.of(inner))]
    return [slot]


def is_number(slot: Slot) -> bool:
    whole_choice = [type(value) for value in get_args(slot.type)] == [int] * len(
        get_args(slot.type)
    )
    return slot.type in (int, float) or (bool(get_args(slot.type)) and whole_choice)


NUMBERS = [
    (place, model, key, slot, number)
    for place, model in SECTIONS
    for key, field in fields_of(model).items()
    for slot in [Slot.of_field(field)]
    for number in parts_of(slot)
    if is_number(number)
]


def wrapped(slot: Slot, value: object) -> object:
    """A value for the key: itself, or in a mapping or a list of as many as are asked for."""
    if get_origin(slot.type) is dict:
        return {"x": wrapped(Slot.of(get_args(slot.type)[1]), value)}
    if get_origin(slot.type) is not tuple:
        return value
    count = sum(argument is not Ellipsis for argument in get_args(slot.type))
    items = [wrapped(Slot.of(get_args(slot.type)[0]), value)] * count
    return items


def bad_values(slot: Slot) -> list[object]:
    bounds = slot.bounds
    bad: list[object] = [math.nan, math.inf, -math.inf, "1", True, 10**30, -(10**30), [1], {}]
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is not None and high is not None:
        bad += [low - 1, high + 1]
    if slot.type is int:
        bad += [float(low), low + 0.5]
    if get_args(slot.type):
        bad += [float(get_args(slot.type)[0])]
    return bad


def test_the_models_have_the_numbers_of_the_config():
    found = {f"{place}.{key}" for place, _, key, _, _ in NUMBERS}
    assert {".shards", "training.epochs", "features.speech.layer", "smoothing.search.valence"} <= (
        found
    )
    assert len(NUMBERS) > 100


def test_every_number_has_a_range():
    ranged = [
        (place, key)
        for place, _, key, _, number in NUMBERS
        if number.type in (int, float)
        and not (number.bounds.keys() & {"ge", "gt"} and number.bounds.keys() & {"le", "lt"})
    ]
    assert ranged == []


def test_every_number_of_another_type_or_out_of_range_is_refused_by_name():
    passed = []
    for place, model, key, slot, number in NUMBERS:
        for value in bad_values(number):
            where = f"{place}.{key}" if place else key
            try:
                model.read({key: wrapped(slot, value)}, place)
            except RequestError as error:
                if any(line.startswith(f"config: {where}") for line in str(error).splitlines()):
                    continue
            passed.append((where, value))
    assert passed == []


@pytest.mark.parametrize("seed", ["", "x", "-1", "1.0", "1e3", "²", "4294967296", "9" * 26])
def test_seeds_of_random_weights_are_refused_out_of_range(seed):
    with pytest.raises(RequestError, match=r"features\.x\.weights is 'random:.*random:<seed>"):
        NetworkOptions.read({"weights": f"random:{seed}"}, "features.x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training": {"epochs": 3.0}},
            "config: training.epochs is 3.0: must be an integer from 1 to 100000 ",
        ),
        (
            {"training": {"betas": [0.9, math.nan]}},
            "config: training.betas.1 is nan: must be a num",
        ),
        ({"smoothing": {"valence": 20.0}}, "config: smoothing.valence is 20.0: must be an integer"),
        ({"folds": {"count": 2e9}}, "config: folds.count is 2000000000.0: must be an integer"),
        ({"shards": 4.0}, "config: shards is 4.0: must be an integer from 1 to 999 "),
        ({"packs": {"dtype": 3}}, "config: packs.dtype is 3, but must be one of ['float32'"),
        ({"exclude": "a"}, "config: exclude is 'a': must be a list (each text)"),
        ({"exclude": ["a", "a"]}, "config: exclude names 'a' twice"),
        ({"media": {"fps": 3}}, "config: unknown key 'fps' at media; known: audio_only_fps"),
        ({"experiments": {"x": {}}}, "config: experiments.x lacks encoder, features"),
        ({"experiments": {"a/b": {}}}, "config: experiments: name 'a/b' does not match"),
        (
            {"backbones": {"still_sets": {"x": {"kind": "ferpus", "path": "x"}}}},
            "config: backbones.still_sets.x.kind is 'ferpus'; did you mean 'ferplus'?",
        ),
        (
            {"backbones": {"still_sets": {"x": {"path": "x"}}}},
            "config: backbones.still_sets.x lacks kind",
        ),
        (
            {"backbones": {"still_sets": {"x": {"kind": "bp4d", "path": "x"}}}},
            "config: backbones.still_sets.x lacks images",
        ),
        (
            {"experiments": {"x": {"encoder": "lstmm", "features": ["fau"]}}},
            "config: experiments.x.encoder: there is no encoder 'lstmm'; did you mean 'lstm'?",
        ),
        (
            {
                "experiments": {
                    "x": {"encoder": "lstm", "features": ["fau"], "encoder_options": {"hiden": 8}}
                }
            },
            "config: unknown key 'hiden' at experiments.x.encoder_options; did you mean 'hidden'?",
        ),
        (
            {
                "experiments": {
                    "x": {
                        "encoder": "lstm",
                        "features": ["fau"],
                        "encoder_options": {"hidden": 8.0},
                    }
                }
            },
            "config: experiments.x.encoder_options.hidden is 8.0: must be an integer from 1 to",
        ),
        ({"encoders": {"lstm": {"kernel_size": 3}}}, "config: unknown key 'kernel_size' at encode"),
        ({"shards": 10**5000}, "config: shards is a number of thousands of digits: must be"),
    ],
)
def test_messages_name_the_place_and_what_may_stand_there(changes, message):
    with pytest.raises(RequestError) as raised:
        read_config(changes)
    assert any(line.startswith(message) for line in str(raised.value).splitlines())


def test_a_list_of_a_list_is_one_problem():
    rows = [{"label": "x", "published": {"valence": 55}}]
    with pytest.raises(RequestError) as raised:
        read_config({"tables": {"table1": {"title": "t", "rows": rows}}})
    assert len(str(raised.value).splitlines()) == 1


def test_leaving_out_a_default_gives_the_same():
    full = read_config({})
    assert read_config(full) == full
    assert read_config(config_of()) == read_config(read_config(config_of()))


def test_what_changes_another_section_is_not_filled_in():
    changes = {"encoder": "lstm", "features": ["fau"], "training": {"epochs": 3}}
    read = read_config({"experiments": {"x": changes}})["experiments"]["x"]
    assert read["training"] == {"epochs": 3}
    assert read["encoder_options"] == {}
    assert read["strategy"] == "official"


NAMED = ("pretrained", "experiments", "ensembles", "submissions", "tables", "backbones")
"""Sections of entries that have no default."""


def test_the_shipped_config_states_the_defaults():
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    defaults = read_config({})
    other = []

    def compare(values, place):
        for key, value in values.items():
            at = (*place, key)
            if at[0] in NAMED or value is None:
                continue
            if isinstance(value, dict):
                compare(value, at)
                continue
            default = defaults
            for part in at:
                default = default[part]
            if default != value:
                other.append((at, value, default))

    compare(shipped, ())
    assert other == []


def test_every_key_says_what_it_means():
    mute = [
        (place, key)
        for place, model in SECTIONS
        for key, field in fields_of(model).items()
        if Slot.of_field(field).model is None and key != "kind" and not field.description
    ]
    assert mute == []
    assert all(describe_type(slot) for *_, slot, _ in NUMBERS)

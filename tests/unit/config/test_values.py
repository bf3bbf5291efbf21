"""Values of a config before its keys are looked at."""

import datetime
import time

import pytest

from circumplex.config.root import read_config
from circumplex.config.values import without_nulls
from circumplex.errors import RequestError


def test_nulls_of_mappings_are_removed_and_nothing_is_changed():
    raw = {"a": None, "b": {"c": None, "d": [None, {"e": None}]}}
    assert without_nulls(raw) == {"b": {"d": [None, {}]}}
    assert raw["b"]["c"] is None


def cyclic_mapping():
    value: dict = {}
    value["features"] = value
    return value


def cyclic_list():
    value: list = []
    value.append(value)
    return {"exclude": value}


def deep():
    value: list = []
    for _ in range(5000):
        value = [value]
    return {"exclude": value}


def aliases():
    """A billion laughs, as a YAML parser builds it: few objects, each held many times."""
    value: list = ["x"] * 9
    for _ in range(12):
        value = [value] * 9
    return {"exclude": value}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (cyclic_mapping, "holds itself"),
        (cyclic_list, "holds itself"),
        (deep, "more than 50 levels"),
        (aliases, "more than 200000 values"),
        (lambda: {"samples": datetime.date(2024, 1, 1)}, "samples is '2024-01-01', read as date"),
        (lambda: {"exclude": {1, 2}}, "exclude is .* read as set"),
        (lambda: {"experiments": {2024: {}}}, "key 2024 is not text"),
    ],
)
def test_values_without_end_or_of_another_kind_are_refused_at_once(make, message):
    start = time.process_time()
    with pytest.raises(RequestError, match=message) as raised:
        read_config(make())
    assert time.process_time() - start < 5
    assert len(str(raised.value)) < 300

"""The JSON schema and the page of options are those of the models."""

import re

import jsonschema
import pytest
import yaml

from circumplex.config.documents import PAGE, SCHEMA, options_page, schema_text
from circumplex.io.atomic import read_json
from example_requests import config_of
from places import ROOT

REMEDY = "write it anew: circumplex options"
PRESETS = sorted((ROOT / "config").rglob("*.yaml"))


def test_the_schema_is_up_to_date():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), REMEDY


def test_the_page_is_up_to_date():
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    # Someone's own encoder need not be on the page.
    encoders = re.findall(r"^## `encoders\.(\w+)`", page, re.MULTILINE)
    assert {"lstm", "transformer", "transformer_lstm", "gru", "bilstm", "tcn"} <= set(encoders)
    assert page == options_page(encoders), REMEDY


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"shards": 0},
        {"encoders": 3},
        {"shard": 1},
        {"faces": {"factor": "x"}},
    ],
)
def test_the_schema_takes_what_the_models_take(change):
    validator = jsonschema.Draft202012Validator(read_json(SCHEMA))
    values = without_nulls({**config_of(), **change})
    assert validator.is_valid(values) == (not change)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(read_json(SCHEMA))
    assert yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["title"] == "Config"

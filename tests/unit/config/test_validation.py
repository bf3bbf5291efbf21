import pytest
import yaml

from circumplex.config import validation
from circumplex.config.validation import suggestion, validate
from circumplex.errors import CircumplexError, ModalityAbsent, RequestError, SampleError

SCHEMA = """
type: object
additionalProperties: false
required: [stride, colour]
properties:
  stride: {type: integer, minimum: 1, description: frames between segments}
  colour: {enum: [red, green]}
  plain: {type: string}
  deep:
    type: object
    additionalProperties: false
    required: [list]
    properties:
      list: {type: array, items: {type: number}}
  named:
    propertyNames: {pattern: '^[a-z]+$', description: name in paths}
"""
FINE = {"stride": 1, "colour": "red"}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """The message's lines; empty if the value passes."""
    (tmp_path / "s.yaml").write_text(SCHEMA)
    monkeypatch.setattr(validation, "SCHEMAS", tmp_path)
    validation.schema.cache_clear()

    def of(value):
        try:
            validate(value, "s.yaml", "here")
        except RequestError as error:
            return str(error).splitlines()
        return []

    yield of
    validation.schema.cache_clear()


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({}, []),
        ({"strid": 1}, ["here: unknown key 'strid' at top level; did you mean 'stride'?"]),
        (
            {"qqq": 1, "colours": 2},
            [
                "here: unknown key 'qqq' at top level; known: colour, deep, named, plain, stride; "
                "unknown key 'colours' at top level; did you mean 'colour'?"
            ],
        ),
        (
            {"stride": 0},
            ["here: stride: 0 is less than the minimum of 1 (frames between segments)"],
        ),
        ({"stride": "1"}, ["here: stride: '1' is not of type 'integer' (frames between segments)"]),
        ({"colour": "blue"}, ["here: colour is 'blue', but must be one of ['red', 'green']"]),
        ({"plain": 3}, ["here: plain: 3 is not of type 'string'"]),
        ({"deep": {}}, ["here: deep lacks list"]),
        ({"deep": {"list": [1, "x"]}}, ["here: deep.list.1: 'x' is not of type 'number'"]),
        (
            {"deep": {"list": [], "lst": 1}},
            ["here: unknown key 'lst' at deep; did you mean 'list'?"],
        ),
        ({"named": {"A": 1}}, ["here: named: 'A' does not match '^[a-z]+$' (name in paths)"]),
        (
            {"stride": 0, "deep": {}, "plain": 3},
            [
                "here: deep lacks list",
                "here: plain: 3 is not of type 'string'",
                "here: stride: 0 is less than the minimum of 1 (frames between segments)",
            ],
        ),
    ],
)
def test_messages(told, change, lines):
    assert told({**FINE, **change}) == lines


def test_each_missing_key_is_told_once(told):
    assert told({"colour": "red"}) == ["here: top level lacks stride"]
    assert told({}) == ["here: top level lacks stride, colour"]


def test_suggestions():
    assert suggestion("densent", ["densenet", "fau"]) == "; did you mean 'densenet'?"
    assert suggestion("zzz", ["b", "a"]) == "; known: a, b"


def test_a_handler_of_one_kind_of_error_does_not_take_another():
    kinds = (RequestError, SampleError, ModalityAbsent)
    for kind in kinds:
        assert issubclass(kind, CircumplexError)
        assert not issubclass(kind, (ValueError, OSError))
        assert not any(issubclass(kind, other) for other in kinds if other is not kind)


def test_shipped_schemas_are_schemas():
    import jsonschema

    for path in validation.SCHEMAS.glob("*.yaml"):
        jsonschema.Draft202012Validator.check_schema(yaml.safe_load(path.read_text("utf-8")))

"""Validation by JSON schema with messages that say what to write instead."""

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from circumplex.errors import RequestError
from circumplex.io.atomic import read_yaml

SCHEMAS = Path(__file__).with_name("schemas")


@cache
def schema(name: str) -> dict[str, Any]:
    """A schema of ``workflow/schemas`` by file name."""
    return dict(read_yaml(SCHEMAS / name))


def validate(value: Mapping[Any, Any], schema_name: str, where: str) -> None:
    """Check ``value`` against a schema.

    Raises:
        RequestError: naming the place, what is wrong, and for a misspelt key the nearest key.
    """
    validator = jsonschema.Draft202012Validator(schema(schema_name))
    errors = sorted(validator.iter_errors(value), key=_depth)
    problems = dict.fromkeys(_describe(error) for error in errors)
    if problems:
        raise RequestError("\n".join(f"{where}: {problem}" for problem in problems))


def suggestion(word: str, known: list[str]) -> str:
    """``; did you mean ...?`` or, with nothing near, the list of what is known."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def _depth(error: jsonschema.ValidationError) -> tuple[int, str]:
    return len(error.absolute_path), error.json_path


def _describe(error: jsonschema.ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = list(error.schema.get("properties", {}))
        unknown = [str(key) for key in error.instance if key not in known]
        return "; ".join(
            f"unknown key {key!r} at {place}{suggestion(key, known)}" for key in unknown
        )
    if error.validator == "required" and isinstance(error.instance, Mapping):
        absent = [key for key in error.validator_value if key not in error.instance]
        return f"{place} lacks {', '.join(absent)}"
    if error.validator == "enum":
        return f"{place} is {error.instance!r}, but must be one of {error.validator_value}"
    hint = error.schema.get("description", "")
    return f"{place}: {error.message}" + (f" ({hint})" if hint else "")

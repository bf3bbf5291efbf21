"""Messages for what pydantic refuses: the place in the config, and what to write instead.

Imported while the workflow is parsed: standard library and pydantic only.
"""

import reprlib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from circumplex.config.slots import RefusedPart, Slot, choices_of, describe_type, fields_of
from circumplex.config.validation import suggestion

TOP = "top level"
LONGEST = 80  # characters of a refused value that are shown


def describe_errors(model: type[BaseModel], error: ValidationError, place: str) -> list[str]:
    """What is wrong with a section, a line for each problem, the shallow ones first.

    Args:
        model: that refused the values.
        error: what it raised.
        place: of the section in the config; empty for all of it.
    """
    found = error.errors(include_url=False)
    # Items that are refused do not count, so that a list that holds one seems too short as well.
    around_others = {one["loc"][:depth] for one in found for depth in range(len(one["loc"]))}
    problems = [p for p in found if p["type"] != "too_short" or p["loc"] not in around_others]
    # Of a word or a number, the number's message names both.
    other_kinds = {one["loc"][:-1] for one in problems if one["type"] != "literal_error"}
    problems = [
        p for p in problems if not (_is_literal_kind(p["loc"]) and p["loc"][:-1] in other_kinds)
    ]
    problems.sort(key=lambda one: len(one["loc"]))
    missing: dict[str, list[str]] = {}
    lines: dict[str, None] = {}
    for problem in problems:
        parts, slot, around = _locate(model, problem["loc"])
        where = ".".join([*([place] if place else []), *parts])
        above = ".".join([*([place] if place else []), *parts[:-1]]) or TOP
        refused = problem.get("ctx", {}).get("error")
        if isinstance(refused, RefusedPart):
            lines |= dict.fromkeys(describe_errors(refused.model, refused.error, where))
            continue
        if problem["type"] == "missing" and isinstance(problem["loc"][-1], int):
            _, items, _ = _locate(model, problem["loc"][:-1])
            line = _describe({**problem, "type": "items"}, items, above)
        elif problem["type"] == "missing":
            missing.setdefault(above, []).append(parts[-1])
            line = f"{above} lacks {', '.join(missing[above])}"
            lines.pop(f"{above} lacks {', '.join(missing[above][:-1])}", None)
        elif problem["type"] == "extra_forbidden":
            known = list(fields_of(around)) if around else []
            line = f"unknown key {parts[-1]!r} at {above}{suggestion(parts[-1], known)}"
        elif problem["loc"] and _is_of_key(problem, slot):
            line = f"{above}: name {parts[-1]!r} {_describe_name(problem)}"
        else:
            line = _describe(problem, slot, where or TOP)
        lines[line] = None
    return list(lines)


def _is_literal_kind(loc: Sequence[str | int]) -> bool:
    """Whether a place is the word among the kinds of value that a key may have."""
    return str(loc[-1]).startswith("literal[") if loc else False


def _locate(
    model: type[BaseModel], loc: Sequence[str | int]
) -> tuple[list[str], Slot, type[BaseModel] | None]:
    """Keys of a place, what is declared for it, and the model that holds its last key."""
    slot = Slot(model, {})
    around: type[BaseModel] | None = None
    parts: list[str] = []
    for part in loc:
        if part == "[key]":
            return parts, Slot.of(_key_type(model, loc)), around
        around = slot.model
        inner = slot.inner(part)
        if inner is None:
            slot = slot.of_kind(part)
            continue
        slot = inner
        parts.append(str(part))
    return parts, slot, around


def _key_type(model: type[BaseModel], loc: Sequence[str | int]) -> Any:
    slot = Slot(model, {})
    for part in loc[:-2]:
        slot = slot.inner(part) or slot.of_kind(part)
    return get_args(slot.type)[0]


def _is_of_key(problem: Any, slot: Slot) -> bool:
    """Whether it is the name of an entry that is refused, not what it holds."""
    key = problem["loc"][-1]
    of_extra = slot.model is not None and problem["input"] == key
    return key == "[key]" or (of_extra and problem["type"] != "model_type")


def _describe_name(problem: Any) -> str:
    if problem["type"] == "string_pattern_mismatch":
        return f"does not match {problem['ctx']['pattern']}"
    if problem["type"] == "enum":
        return f"is none of {problem['ctx']['expected']}"
    return str(problem["ctx"]["error"])


def _describe(problem: Any, slot: Slot, where: str) -> str:
    kind, value = problem["type"], problem["input"]
    hint = f" ({slot.description})" if slot.description else ""
    if kind in ("value_error", "assertion_error"):
        text = str(problem["ctx"]["error"])
        return f"{where}{' ' if text.startswith(('is ', 'names ')) else ': '}{text}"
    if kind.startswith("union_tag"):
        tags = problem["ctx"].get("expected_tags", "")
        tag = problem["ctx"].get("tag")
        known = suggestion(str(tag), [t.strip(" '") for t in tags.split(",")]) if tag else ""
        return f"{where}.kind is {tag!r}{known}" if tag else f"{where} lacks kind"
    if kind == "string_pattern_mismatch":
        return f"{where} is {shorten(value)}: does not match {problem['ctx']['pattern']}{hint}"
    if kind in ("enum", "literal_error"):
        return f"{where} is {shorten(value)}, but must be one of {choices_of(slot)}"
    if kind == "too_short":
        least = problem["ctx"]["min_length"]
        return f"{where} has {problem['ctx']['actual_length']} items: needs {least} or more{hint}"
    if kind == "string_too_short":
        return f"{where} is empty{hint}"
    if slot.type is str and not isinstance(value, (str, dict, list, tuple)):
        hint = f": write it in quotes; without, YAML reads 007 as 7 and no as False{hint}"
    return f"{where} is {shorten(value)}: must be {describe_type(slot)}{hint}"


def shorten(value: Any) -> str:
    """A value in at most `LONGEST` characters or so."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = LONGEST
    try:
        return shown.repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"

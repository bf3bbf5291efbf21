"""Messages for what pydantic refuses: the place in the config, and what to write instead.

Imported while the workflow is parsed: standard library and pydantic only.
"""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from circumplex.config.validation import suggestion

TOP = "top level"
LONGEST = 80  # characters of a refused value that are shown
BOUNDS = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")


@dataclass(frozen=True)
class Slot:
    """A place of the config as the models declare it.

    Attributes:
        type: without ``Annotated``, and without ``None`` of an optional one.
        bounds: range of a number, number of items, pattern of a text; see `BOUNDS`.
        description: of the nearest field around it.
    """

    type: Any
    bounds: Mapping[str, Any]
    description: str = ""

    @classmethod
    def of(cls, annotation: Any, metadata: Sequence[Any] = (), description: str = "") -> "Slot":
        """The slot of a type hint, and of what ``Field`` says beside it."""
        found = [*metadata]
        while True:
            if get_origin(annotation) is Annotated:
                annotation, *inner = get_args(annotation)
                found += inner
            elif get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation):
                kept = tuple(part for part in get_args(annotation) if part is not NoneType)
                annotation = Union[kept]  # noqa: UP007 - of as many as there are
            else:
                break
        bounds: dict[str, Any] = {}
        for part in _flatten(found):
            bounds |= {k: v for k in BOUNDS if (v := getattr(part, k, None)) is not None}
            if isinstance(part, FieldInfo):
                description = part.description or description
        return cls(annotation, bounds, description)

    @classmethod
    def of_field(cls, field: FieldInfo) -> "Slot":
        """The slot of a model's field."""
        return cls.of(field.annotation, field.metadata, field.description or "")

    @property
    def model(self) -> type[BaseModel] | None:
        """The model that it holds, if it holds one."""
        is_model = isinstance(self.type, type) and issubclass(self.type, BaseModel)
        return self.type if is_model else None

    def inner(self, part: str | int) -> "Slot | None":
        """The slot of a key or an item; none for a tag that names a kind of models."""
        if self.model is not None:
            fields = fields_of(self.model)
            if part in fields:
                return Slot.of_field(fields[str(part)])
            extra = extra_type_of(self.model)
            return Slot(Any, {}) if extra is None else Slot.of(extra)
        arguments = get_args(self.type)
        origin = get_origin(self.type)
        if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
            return Slot.of(arguments[1], (), self.description)
        if origin is tuple:
            item = arguments[min(int(part), len(arguments) - 1)]
            if item is Ellipsis:
                item = arguments[0]
            return Slot.of(item, (), self.description)
        return None

    def of_kind(self, tag: str | int) -> "Slot":
        """The model of a tagged union whose ``kind`` is the tag."""
        for member in get_args(self.type):
            field = getattr(member, "model_fields", {}).get("kind")
            if field is not None and tag in get_args(field.annotation):
                return Slot(member, {})
        return self


def _flatten(parts: Sequence[Any]) -> Iterator[Any]:
    for part in parts:
        yield part
        if isinstance(part, FieldInfo):
            yield from part.metadata


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a model by their keys in the config."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def extra_type_of(model: type[BaseModel]) -> Any:
    """Type of the values of a model's keys that no field names; none where it takes no others."""
    for base in model.__mro__:
        if hint := get_annotations(base).get("__pydantic_extra__"):
            return get_args(hint)[1] if base is not BaseModel else None
    return None


def describe_type(slot: Slot) -> str:
    """What may stand in a place, such as ``an integer from 1 to 32``."""
    origin, bounds = get_origin(slot.type), slot.bounds
    if slot.type is bool:
        return "true or false"
    if slot.type in (int, float):
        return f"{'an integer' if slot.type is int else 'a number'}{_range(bounds)}"
    if slot.type is str:
        return f"text that matches {bounds['pattern']}" if "pattern" in bounds else "text"
    if options := choices_of(slot):
        return f"one of {', '.join(map(str, options))}"
    if origin is tuple:
        arguments = get_args(slot.type)
        item = describe_type(Slot.of(arguments[0]))
        fixed = "" if arguments[-1] is Ellipsis else f"{len(arguments)} items, "
        return f"a list ({fixed}each {item})"
    if origin in (Union, UnionType) and all(_is_simple(part) for part in get_args(slot.type)):
        return " or ".join(describe_type(Slot.of(part)) for part in get_args(slot.type))
    return "a mapping"


def _is_simple(annotation: Any) -> bool:
    return Slot.of(annotation).model is None


def choices_of(slot: Slot) -> list[Any]:
    """Values of an enumeration or of a literal type; empty for other types."""
    if get_origin(slot.type) is Literal:
        return [*get_args(slot.type)]
    if isinstance(slot.type, type) and issubclass(slot.type, Enum):
        return [member.value for member in slot.type]
    return []


def _range(bounds: Mapping[str, Any]) -> str:
    low = f" from {bounds['ge']}" if "ge" in bounds else ""
    low = f" above {bounds['gt']}" if "gt" in bounds else low
    if "le" in bounds:
        return low + (f" to {bounds['le']}" if "ge" in bounds else f", at most {bounds['le']}")
    return low + (f", below {bounds['lt']}" if "lt" in bounds else "")


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
    problems.sort(key=lambda one: len(one["loc"]))
    missing: dict[str, list[str]] = {}
    lines: dict[str, None] = {}
    for problem in problems:
        parts, slot, around = _locate(model, problem["loc"])
        where = ".".join([*([place] if place else []), *parts])
        above = ".".join([*([place] if place else []), *parts[:-1]]) or TOP
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
            line = f"{above}: name {_describe(problem, slot, repr(parts[-1]))}"
        else:
            line = _describe(problem, slot, where or TOP)
        lines[line] = None
    return list(lines)


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
        return f"{where} does not match {problem['ctx']['pattern']}{hint}"
    if kind in ("enum", "literal_error"):
        return f"{where} is {shorten(value)}, but must be one of {choices_of(slot)}"
    if kind == "too_short":
        least = problem["ctx"]["min_length"]
        return f"{where} has {problem['ctx']['actual_length']} items: needs {least} or more{hint}"
    if kind == "string_too_short":
        return f"{where} is empty{hint}"
    return f"{where} is {shorten(value)}: must be {describe_type(slot)}{hint}"


def shorten(value: Any) -> str:
    """A value in at most `LONGEST` characters or so."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = LONGEST
    try:
        return shown.repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"

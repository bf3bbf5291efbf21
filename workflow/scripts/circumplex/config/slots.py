"""The places of the config as the models declare them: what may stand where.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

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

    @property
    def extra(self) -> "Slot | None":
        """The slot of a model's keys that no field names; none where it takes no others."""
        for base in self.model.__mro__ if self.model else ():
            hint = get_annotations(base).get("__pydantic_extra__")
            if hint is not None:
                return None if base is BaseModel else Slot.of(get_args(hint)[1])
        return None

    @property
    def kinds(self) -> tuple[type[BaseModel], ...]:
        """The models of a tagged union; empty for anything else."""
        members = get_args(self.type) if get_origin(self.type) in (Union, UnionType) else ()
        models = [slot.model for member in members if (slot := Slot.of(member)).model]
        return tuple(model for model in models if model is not None)

    def inner(self, part: str | int) -> "Slot | None":
        """The slot of a key or an item; none for a tag that names a kind of models."""
        if self.model is not None:
            fields = fields_of(self.model)
            if part in fields:
                return Slot.of_field(fields[str(part)])
            return self.extra or Slot(Any, {})
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
        for model in self.kinds:
            if tag in get_args(model.model_fields["kind"].annotation):
                return Slot(model, {})
        return self


def _flatten(parts: Sequence[Any]) -> Iterator[Any]:
    for part in parts:
        yield part
        if isinstance(part, FieldInfo):
            yield from part.metadata


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a model by their keys in the config."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


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


class RefusedPart(ValueError):
    """A model has refused a value that a validator of another one handed to it.

    Attributes:
        model: that refused it.
        error: what it raised.
    """

    def __init__(self, model: type[BaseModel], error: ValidationError) -> None:
        super().__init__(str(error))
        self.model, self.error = model, error

"""What all parts of the config have in common: strict models, and messages that say what to write.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
)

from circumplex.config.slots import RefusedPart
from circumplex.errors import RequestError

T = TypeVar("T")


def _check_unique(items: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = [item for place, item in enumerate(items) if item in items[:place]]
    if twice:
        raise ValueError(f"names {twice[0]!r} twice")
    return items


def _check_whole(value: Any) -> Any:
    if type(value) is not int:
        raise ValueError(f"is {value!r}: must be an integer")
    return value


Lax = Annotated[T, Strict(False)]
"""A list for a tuple, a text for a member of an enumeration; what the tuple holds stays strict."""
Unique = Annotated[T, Strict(False), AfterValidator(_check_unique)]
"""A tuple that has no item twice."""
Whole = Annotated[T, BeforeValidator(_check_whole)]
"""One of some integers; not ``true`` for 1."""
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Name of an entry; it becomes part of paths."""
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Section(BaseModel):
    """A part of the config: an unknown key, another type or a number out of range is refused.

    Each field states its range, its default and, as description, its meaning: the JSON schema, the
    page docs/options.md and the messages are written from them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        defer_build=True,
        protected_namespaces=(),
    )

    @classmethod
    def read(cls, values: Mapping[str, Any], place: str = "", source: str = "config") -> Self:
        """Check values of the config, or of another source.

        Args:
            values: as YAML has them.
            place: of the section in the config, such as ``features.vggish``; empty for all of it.
            source: how messages begin.

        Raises:
            RequestError: a line for each problem, with the place, and what to write instead.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            from circumplex.config.messages import describe_errors

            problems = describe_errors(cls, error, place)
        raise RequestError("\n".join(f"{source}: {problem}" for problem in problems))

    def plain(self) -> dict[str, Any]:
        """The values, defaults filled in, as YAML or JSON would have them; without nulls."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


Part = TypeVar("Part", bound=Section)


def check_part(model: type[Part], values: Mapping[str, Any]) -> Part:
    """Check a value by a model that another key has chosen, within a validator.

    Raises:
        RefusedPart: from which messages are written as if the model stood in that place.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise RefusedPart(model, error) from error


def defaults_of(section: type[Section], description: str | None = None) -> Any:
    """A key whose value is a section, by default with the section's defaults.

    The model is built when it is first needed, not when the class that holds it is.
    """
    return Field(default_factory=section, description=description)

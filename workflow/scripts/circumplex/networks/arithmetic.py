"""What the extractors' options have in common: the config's slices become frozen dataclasses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Self, TypeVar

from circumplex.errors import RequestError

Number = TypeVar("Number", int, float)
Choice = TypeVar("Choice", bound=Enum)


class Precision(StrEnum):
    """Arithmetic of a network; it changes the numbers, so it is a tracked option."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"  # of products; norms and sums of their results stay float32


class OptionReader:
    """Take typed values out of one extractor's slice of the config, then `finish`.

    Every error is a RequestError that names the extractor and the key.
    """

    def __init__(self, extractor: str, options: Mapping[str, Any]) -> None:
        self._extractor = extractor
        self._left = dict(options)

    def _refuse(self, key: str, problem: str) -> RequestError:
        return RequestError(f"features.{self._extractor}.{key}: {problem}")

    def raw(self, key: str) -> Any:
        """A required value as it stands."""
        if key not in self._left:
            raise self._refuse(key, "is required")
        return self._left.pop(key)

    def positive(self, key: str, default: Number) -> Number:
        """A number above zero, of the default's type (a whole number serves as a float)."""
        value: Any = self._left.pop(key, default)
        kind = type(default)
        if isinstance(value, bool) or not isinstance(value, (int, kind)) or not value > 0:
            raise self._refuse(key, f"{value!r} is not a positive {kind.__name__}")
        return kind(value)

    def counts(self, key: str, default: tuple[int, int, int]) -> tuple[int, int, int]:
        """Three whole numbers above zero."""
        value = self._left.pop(key, default)
        if not (
            isinstance(value, Sequence)
            and len(value) == len(default)
            and all(type(count) is int and count > 0 for count in value)
        ):
            raise self._refuse(key, f"{value!r} is not three whole numbers above 0")
        first, second, third = value
        return first, second, third

    def choice(self, key: str, default: Choice) -> Choice:
        """A member of the default's enum, by value."""
        value = self._left.pop(key, default.value)
        known = {member.value: member for member in type(default)}
        if isinstance(value, bool) or value not in known:
            raise self._refuse(key, f"{value!r} is none of {', '.join(map(str, known))}")
        return known[value]

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            raise self._refuse(key, f"{value!r} is neither true nor false")
        return value

    def finish(self) -> None:
        """Refuse what nothing took."""
        for key in self._left:
            raise self._refuse(key, "unknown option")


@dataclass(frozen=True)
class Arithmetic:
    """How a network of fixed-shape batches is run; all three change its last bits.

    Attributes:
        precision: of the products.
        compile: whether to compile the network, its weights folded in; needs a C++ compiler.
        channels_last: whether images lie in memory pixel by pixel rather than channel by channel.
    """

    precision: Precision = Precision.FLOAT32
    compile: bool = False
    channels_last: bool = False

    @classmethod
    def read(cls, reader: OptionReader, *, channels_last: bool = False) -> Self:
        """Take ``precision``, ``compile`` and ``channels_last`` (by default as given)."""
        return cls(
            precision=reader.choice("precision", Precision.FLOAT32),
            compile=reader.flag("compile", False),
            channels_last=reader.flag("channels_last", channels_last),
        )

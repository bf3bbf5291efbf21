"""What a config may be before its keys are looked at: plain values, not too many, not too deep.

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Mapping
from typing import Any

from circumplex.errors import RequestError

DEEPEST = 50
"""Levels of mappings and lists that a config may have; its models have fewer than ten."""
MOST_VALUES = 200_000
"""Keys and items that a config may have, those that an alias repeats counted each time."""


def without_nulls(raw: Mapping[str, Any], source: str = "config") -> dict[str, Any]:
    """A copy of a config without the keys whose value is null.

    Args:
        raw: as YAML or JSON has it.
        source: how messages begin.

    Raises:
        RequestError: a key that is not text, a value that YAML's plain types do not have, a value
            that holds itself, or more than `DEEPEST` levels or `MOST_VALUES` values.
    """
    copy = _Copy(source)
    return {key: copy.of(value, [key]) for key, value in copy.items(raw)}


class _Copy:
    def __init__(self, source: str) -> None:
        self._source = source
        self._left = MOST_VALUES

    def items(self, values: Mapping[Any, Any]) -> list[tuple[str, Any]]:
        """Items of a mapping that are not null."""
        for key in values:
            if not isinstance(key, str):
                raise RequestError(f"{self._source}: key {key!r} is not text; write it in quotes")
        return [(key, value) for key, value in values.items() if value is not None]

    def of(self, value: Any, place: list[str]) -> Any:
        """A value without the nulls of its mappings."""
        self._left -= 1
        if self._left < 0:
            raise RequestError(
                f"{self._source}: more than {MOST_VALUES} values, those that aliases repeat "
                f"counted each time: at {_name(place)}"
            )
        if len(place) > DEEPEST:
            raise RequestError(
                f"{self._source}: more than {DEEPEST} levels, or a value that holds itself: at "
                f"{_name(place)}"
            )
        if isinstance(value, Mapping):
            return {k: self.of(v, [*place, k]) for k, v in self.items(value)}
        if isinstance(value, (list, tuple)):
            return [self.of(item, [*place, str(k)]) for k, item in enumerate(value)]
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
        raise RequestError(
            f"{self._source}: {_name(place)} is {str(value)[:80]!r}, read as "
            f"{type(value).__name__}: write it in quotes"
        )


def _name(place: list[str]) -> str:
    shown = place if len(place) < 7 else [*place[:6], "..."]
    return ".".join(part[:40] for part in shown)

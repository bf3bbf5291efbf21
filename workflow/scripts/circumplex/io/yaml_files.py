"""Reading YAML that a person wrote: whole, or refused within seconds.

Aliases can make a file of a few lines grow to billions of values, or hold itself, and a parser that
calls itself for each level ends in a crash of thousands of levels. So the events of the parser are
counted, those that an alias repeats each time, before any value is built.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from circumplex.errors import RequestError

MOST_BYTES = 10_000_000
MOST_VALUES = 200_000
"""Keys and items, those that an alias repeats counted each time."""
DEEPEST = 50
"""Levels of mappings and lists, those of an alias not counted."""


def read_small_yaml(path: Path) -> Any:
    """Read a YAML or JSON file of plain values.

    Raises:
        RequestError: the file cannot be read, is no YAML, refers to a value within itself, or has
            more than `MOST_BYTES` bytes, `MOST_VALUES` values or `DEEPEST` levels.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RequestError(f"{path} has more than {MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            with suppress(json.JSONDecodeError):  # as Snakemake reads it; else it is YAML
                return json.loads(text)
        _check_size(path, text)
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RequestError(f"{path} cannot be read: {error}") from error


def _check_size(path: Path, text: str) -> None:
    sizes: dict[str, int] = {}
    open_since: list[tuple[str | None, int]] = []
    count = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        where = f"{path}, line {event.start_mark.line + 1 if event.start_mark else 0}"
        count += 1
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_since):
                raise RequestError(f"{where}: *{event.anchor} refers to a value within itself")
            count += sizes.get(event.anchor or "", 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_since.append((event.anchor, count))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_since.pop()
            if anchor is not None:
                sizes[anchor] = count - before
        if count > MOST_VALUES:
            raise RequestError(
                f"{where}: more than {MOST_VALUES} values, those that aliases repeat counted each "
                "time"
            )
        if len(open_since) > DEEPEST:
            raise RequestError(f"{where}: more than {DEEPEST} levels of mappings and lists")

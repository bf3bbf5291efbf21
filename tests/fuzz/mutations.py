"""Damage to valid files: bytes, lines and cells of text, values of JSON and YAML."""

import struct
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

INTEGERS = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
TOKENS = (
    *("", " ", "nan", "NaN", "inf", "-inf", "-0", "1e400", "0_1", "1,5", "1.5.5", "٣", "1", "-1"),
    *('"', "'", "\x00", "\ufeff", "\r", "\t", "\u200b", "\u202e", "é", "e\u0301", "=cmd()", "@a"),
    *("../../secret", "/dev/zero", "~", "{sample}", "None", "True", "0x10", "9" * 400),
)
"""Cells and names that readers of text have taken wrong, here or elsewhere."""
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 3.0, 2**70, 1e400, float("nan"), "", " ", "x" * 10_000, "\x00", "../a"),
    *([], {}, [[]], {"a": {}}, [None], "random:99999999999999999999", "007"),
)


def damage_bytes(rng: Random, content: bytes) -> bytes:
    """Apply one to four random changes to a file's bytes."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        change = rng.choice(BYTE_CHANGES)
        change(rng, data)
    return bytes(data)


def _span(rng: Random, data: bytearray) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 4, 64, 4096)))


def _truncate(rng: Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _flip(rng: Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 8, 64))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _write_integer(rng: Random, data: bytearray) -> None:
    size, order = rng.choice("bhiq"), rng.choice("<>")
    value = rng.choice(INTEGERS)
    packed = struct.pack(f"{order}q", value)
    width = struct.calcsize(size)
    packed = packed[:width] if order == "<" else packed[-width:]
    # Headers lie at the start: half of the changes fall there.
    end = min(len(data), 512) if rng.random() < 0.5 else len(data)
    start = rng.randrange(end + 1)
    data[start : start + width] = packed


def _delete(rng: Random, data: bytearray) -> None:
    start, end = _span(rng, data)
    del data[start:end]


def _repeat(rng: Random, data: bytearray) -> None:
    start, end = _span(rng, data)
    data[start:start] = data[start:end] * rng.choice((1, 2, 50))


def _clear(rng: Random, data: bytearray) -> None:
    start, end = _span(rng, data)
    data[start:end] = bytes(end - start)


def _insert(rng: Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice((1, 16, 1024)))


def _swap(rng: Random, data: bytearray) -> None:
    start, end = _span(rng, data)
    other = rng.randrange(len(data) + 1)
    piece = bytes(data[start:end])
    data[other : other + len(piece)] = piece


BYTE_CHANGES: tuple[Callable[[Random, bytearray], None], ...] = (
    *(_truncate, _flip, _write_integer, _write_integer, _delete, _repeat, _clear, _insert, _swap),
)


def damage_text(rng: Random, text: str) -> bytes:
    """Apply one to four random changes to the lines and cells of a text."""
    lines = text.split("\n")
    for _ in range(rng.randint(1, 4)):
        change = rng.choice(LINE_CHANGES)
        change(rng, lines)
    ending = rng.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    return ending.join(lines).encode(encoding, "replace")


def _change_cell(rng: Random, lines: list[str]) -> None:
    row = rng.randrange(len(lines))
    mark = next((mark for mark in "\t,;" if mark in lines[row]), " ")
    cells = lines[row].split(mark)
    cells[rng.randrange(len(cells))] = rng.choice(TOKENS)
    lines[row] = mark.join(cells)


def _change_columns(rng: Random, lines: list[str]) -> None:
    row = rng.randrange(len(lines))
    mark = rng.choice("\t,; ")
    lines[row] = rng.choice(
        (lines[row] + mark, lines[row] + mark + "1", lines[row].replace(",", mark))
    )


def _drop_lines(rng: Random, lines: list[str]) -> None:
    start = rng.randrange(len(lines))
    del lines[start : start + rng.choice((1, 1, 10))]
    lines[:] = lines or [""]


def _repeat_line(rng: Random, lines: list[str]) -> None:
    row = rng.randrange(len(lines))
    lines[row:row] = [lines[row]] * rng.choice((1, 1, 1000))


def _sort_lines(rng: Random, lines: list[str]) -> None:
    rng.choice((lines.sort, lines.reverse, lambda: rng.shuffle(lines)))()


def _lengthen_cell(rng: Random, lines: list[str]) -> None:
    row = rng.randrange(len(lines))
    lines[row] += rng.choice("1,a\t ") * rng.choice((100, 140_000))


LINE_CHANGES: tuple[Callable[[Random, list[str]], None], ...] = (
    *(_change_cell, _change_cell, _change_cell, _change_columns, _drop_lines, _repeat_line),
    *(_sort_lines, _lengthen_cell),
)


def damage_value(rng: Random, value: Any) -> Any:
    """A copy of nested mappings and lists with one to three values replaced, removed or nested."""
    for _ in range(rng.randint(1, 3)):
        places = list(_places(value, ()))
        value = _change(rng, value, rng.choice(places)) if places else rng.choice(VALUES)
    return value


def _places(value: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Keys that lead to each value inside."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        yield (*above, key)
        yield from _places(item, (*above, key))


def _change(rng: Random, value: Any, place: tuple[Any, ...]) -> Any:
    copied = dict(value) if isinstance(value, dict) else list(value)
    key, *below = place
    if below:
        copied[key] = _change(rng, copied[key], tuple(below))
        return copied
    action = rng.choice(("replace", "replace", "remove", "nest", "rename"))
    if action == "remove":
        del copied[key]
    elif action == "nest":
        copied[key] = rng.choice(([copied[key]], {"a": copied[key]}))
    elif action == "rename" and isinstance(copied, dict):
        copied[rng.choice(TOKENS)] = copied.pop(key)
    else:
        copied[key] = rng.choice(VALUES)
    return copied

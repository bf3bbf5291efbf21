"""Features in a comma-separated text, with or without a header; see `csv_header` for the rule."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.features.imports.csv_header import is_header, numbers_rows
from circumplex.features.imports.feature_file import (
    FRAME,
    SAMPLE,
    TIME_S,
    FeatureFile,
    Rows,
    check_frames,
    check_samples,
    check_size,
    find_keys,
    naming_errors,
    rows_per_block,
)
from circumplex.io.numbers import parse_numbers

LONGEST_LINE = 2**25
"""Characters of a line: a million numbers of 33 characters."""
MOST_CELLS = 1_000_100
"""Of a line: the largest dimension that a config may have, and the keys."""
_ROW_NUMBER = "row number"
"""Key of a column without name, in which pandas and R number the rows."""


class _Row(NamedTuple):
    line: int
    cells: Sequence[str]


@dataclass(frozen=True)
class _Layout:
    """What the first line says of the others.

    Attributes:
        header: whether it holds names.
        keys: places of the columns that are checked, by key.
        values: places of the values.
    """

    header: bool
    keys: Mapping[str, int]
    values: Sequence[int]


def open_csv(path: Path, sample: str) -> FeatureFile:
    """Open a table whose key columns, if it has any, name this sample, its frames and their times.

    Raises:
        SampleError: the first line is not plainly a header or numbers, or the file is no text of
            lines of equally many cells.
    """
    rows = 0
    layout = None
    for row in _read_rows(path):
        if layout is None:
            layout = _find_layout(path, row.cells)
            rows -= layout.header
        rows += 1
        check_size(path, rows)
    if layout is None:
        return FeatureFile(path, 0, None, lambda: iter(()))
    return FeatureFile(path, rows, len(layout.values), partial(_blocks, path, layout, sample))


def _find_layout(path: Path, first: Sequence[str]) -> _Layout:
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if any(separator in cell for cell in first):
            raise SampleError(
                f"{path}: its cells are separated by {name}: write commas between cells, and "
                "points in numbers"
            )
    header = is_header(path, first)
    keys = find_keys(path, first) if header else {}
    apart = {*keys.values()}
    if header and numbers_rows(first):
        apart.add(0)
        if FRAME not in keys:
            keys[_ROW_NUMBER] = 0
    return _Layout(
        header=header,
        keys=keys,
        values=[place for place in range(len(first)) if place not in apart],
    )


def _read_rows(path: Path) -> Iterator[_Row]:
    """The lines of a file, each of as many cells as the first; empty lines are passed over.

    In a file of one column, an empty line amid the others is a missing value and refused.
    """
    with naming_errors(path):
        file = path.open(encoding="utf-8-sig", newline="")
    with file:
        reader = csv.reader(_read_lines(path, file))
        width = empty = 0
        while (cells := _next_row(path, reader)) is not None:
            line = reader.line_num
            if not cells:
                empty = empty or line
                continue
            width = width or len(cells)
            if len(cells) != width:
                raise SampleError(f"{path}, line {line} has {len(cells)} cells, line 1 has {width}")
            if empty and width == 1:
                raise SampleError(f"{path}, line {empty} is empty: write a number into it")
            empty = 0
            yield _Row(line, cells)


def _next_row(path: Path, reader: Iterator[list[str]]) -> list[str] | None:
    with naming_errors(path):
        try:
            return next(reader, None)
        except (UnicodeDecodeError, csv.Error) as error:
            raise SampleError(f"{path} is not a CSV text: {error}") from error


def _read_lines(path: Path, file: IO[str]) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE or line.count(",") >= MOST_CELLS:
            raise SampleError(
                f"{path} has a line of more than {LONGEST_LINE} characters or {MOST_CELLS} cells: "
                "write one line per frame"
            )
        yield line


def _blocks(path: Path, layout: _Layout, sample: str) -> Iterator[Rows]:
    width = len(layout.values)
    keys = [key for key in (FRAME, TIME_S, _ROW_NUMBER) if key in layout.keys]
    places = [*layout.values, *(layout.keys[key] for key in keys)]
    rows = enumerate(islice(_read_rows(path), int(layout.header), None))
    parsed = (_parse(path, number, row, layout, places, sample) for number, row in rows)
    start = 0
    while block := list(islice(parsed, rows_per_block(len(places)))):
        numbers = np.stack(block)
        found = dict(zip(keys, numbers[:, width:].T, strict=True))
        if FRAME in found:
            check_frames(path, start, found[FRAME])
        if _ROW_NUMBER in found:
            _check_row_numbers(path, start, found[_ROW_NUMBER])
        start += len(block)
        yield Rows(numbers[:, :width], found.get(TIME_S))


def _parse(
    path: Path, number: int, row: _Row, layout: _Layout, places: Sequence[int], sample: str
) -> NDArray[np.float64]:
    """Numbers in some places of a row, whose sample is checked."""
    if SAMPLE in layout.keys:
        check_samples(path, number, [row.cells[layout.keys[SAMPLE]].strip()], sample)
    try:
        return np.array(parse_numbers([row.cells[place] for place in places]))
    except ValueError as error:
        raise SampleError(f"{path}, line {row.line}: {error}") from None


def _check_row_numbers(path: Path, start: int, numbers: NDArray[np.float64]) -> None:
    """Check that the rows are numbered from 0, as pandas does, or from 1, as R does."""
    counted = np.arange(start, start + len(numbers))
    if not any(np.array_equal(numbers, counted + first) for first in (0, 1)):
        raise SampleError(
            f"{path}: the first column has no name, as where pandas or R number the rows, but does "
            "not count up by one from 0 or 1: leave it out (index=False, row.names=FALSE), or name "
            "it if it holds values"
        )

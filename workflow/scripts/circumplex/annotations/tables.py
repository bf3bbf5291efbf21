"""Annotations as delimited text: separators, decimal signs, and which column is what."""

import csv
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.recognition import TIMES, guess_separator, plain_name
from circumplex.annotations.text import read_head, read_text
from circumplex.annotations.traces import Trace, check_times
from circumplex.config.annotations import AnnotationTable, Decimal, Separator, TimeUnit
from circumplex.errors import SampleError
from circumplex.io.numbers import parse_numbers
from circumplex.targets import Target

MOST_BYTES = 64 << 20
"""Size of a table: a day at 25 rows per second has 2 million rows of some 30 bytes."""
MOST_COLUMNS = 1000
SEPARATORS = {Separator.COMMA: ",", Separator.SEMICOLON: ";", Separator.TAB: "\t"}
MILLISECONDS = re.compile(r"(^|[_(\[])m(s|sec|illiseconds?)[)\]]?$")
ANNOTATORS = ("annotator", "annotator_id", "annotatorid", "rater", "rater_id", "evaluator")
"""Names of a column that names the annotator of each row."""
VALUES = ("value", "values", "rating", "ratings", "label", "score", "annotation")
"""Names of the values' column where it is known which target they are of."""
RULE = " %"
"""What an empty line consists of, or one that CARMA and DARMA draw below the header."""
LONGEST_PREAMBLE = 30
"""Lines before a header that is not the first line."""
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-nan"})
_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.ASCII | re.I)


@dataclass(frozen=True)
class Column:
    """A column of values.

    Attributes:
        place: of the column, from 0.
        target: what it holds.
        annotator: who annotated; empty where the file does not say.
    """

    place: int
    target: Target
    annotator: str = ""


@dataclass(frozen=True)
class TextTable:
    """A delimited text with a header.

    Attributes:
        path: the file, for messages.
        names: names of the columns.
        first_line: number of the line after the header, from 1.
        body: the text after the header.
        separator: between cells.
        decimal: decimal sign.
    """

    path: Path
    names: tuple[str, ...]
    first_line: int
    body: str
    separator: str
    decimal: Decimal

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Number of the line and cells of each row; empty lines and rules of ``%`` are passed over.

        Raises:
            SampleError: a row has another number of cells than the header.
        """
        reader = csv.reader(io.StringIO(self.body, newline=""), delimiter=self.separator)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise SampleError(f"annotation {self.path} is no table: {error}") from error
            if cells is None:
                return
            line = self.first_line + reader.line_num - 1
            if not any(cell.strip(RULE) for cell in cells):
                continue
            if len(cells) != len(self.names):
                raise SampleError(
                    f"annotation {self.path}, line {line} has {len(cells)} cells, the header has "
                    f"{len(self.names)}{self._advice(cells)}"
                )
            yield line, cells

    def _advice(self, cells: Sequence[str]) -> str:
        if self.separator == "," and len(cells) > len(self.names):
            return (
                ": are these decimal commas? With a comma between cells too, they cannot be told "
                "apart: export with semicolons or tabs between cells, or with decimal points"
            )
        if len(cells) == 1:
            return ": its cells are separated in another way than the header's"
        return ": the file is cut off or damaged"

    def numbers(self, places: Sequence[int]) -> tuple[list[int], list[NDArray[np.float64]]]:
        """Read columns of numbers.

        Args:
            places: of the columns, from 0.

        Returns:
            Number of each row's line, and for each place (rows,) values, NaN where a cell is empty
            or says that there is no value.

        Raises:
            SampleError: a cell is no number, or decimal commas and points are mixed.
        """
        lines: list[int] = []
        columns = [array("d") for _ in places]
        signs: dict[str, int] = {}
        for line, cells in self.rows():
            lines.append(line)
            for column, place in zip(columns, places, strict=True):
                column.append(self._number(cells[place], line, signs))
        if len(signs) > 1:
            raise SampleError(
                f"annotation {self.path} has decimal commas (line {signs[',']}) and decimal points "
                f"(line {signs['.']}): say which is right in labels.table.decimal"
            )
        return lines, [np.array(column) for column in columns]

    def _number(self, cell: str, line: int, signs: dict[str, int]) -> float:
        text = cell.strip()
        if text.casefold() in MISSING:
            return np.nan
        if self.decimal is not Decimal.POINT and _COMMA.fullmatch(text):
            if self.decimal is Decimal.AUTO:
                signs.setdefault(",", line)
            text = text.replace(",", ".")
        elif "." in text and self.decimal is Decimal.AUTO:
            signs.setdefault(".", line)
        try:
            (value,) = parse_numbers([text])
        except ValueError:
            raise SampleError(
                f"annotation {self.path}, line {line}: {cell[:60]!r} is not a number"
            ) from None
        return value

    def texts(self, place: int) -> list[str]:
        """Read a column as text."""
        return [cells[place].strip() for _, cells in self.rows()]

    def find(self, *names: str) -> int | None:
        """Place of the first column that has one of some names, compared as `plain_name`."""
        plain = [plain_name(name) for name in self.names]
        wanted = [plain_name(name) for name in names]
        return next((place for place, name in enumerate(plain) if name in wanted), None)


def read_table(
    annotation: Path,
    options: AnnotationTable,
    header_line: int = 1,
    names: Sequence[str] | None = None,
) -> TextTable:
    """Read a delimited text.

    Args:
        annotation: file.
        options: what the config says of separators and decimal signs.
        header_line: number of the header's line, from 1; what comes before is passed over.
        names: names of the columns of a file without header; ``header_line`` is then its first row.

    Raises:
        SampleError: it cannot be read, is empty, or has too many columns.
    """
    text = read_text(annotation, MOST_BYTES).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise SampleError(f"annotation {annotation} is empty: write a header and one row per time")
    lines = text.split("\n", header_line)
    head = lines[header_line - 1] if len(lines) >= header_line else ""
    separator = find_separator(head, options)
    body = text.split("\n", header_line - 1)[-1] if names else "".join(lines[header_line:])
    try:
        found = next(csv.reader([head], delimiter=separator), [])
    except csv.Error as error:
        raise SampleError(f"annotation {annotation} is no table: {error}") from error
    if len(found) > MOST_COLUMNS:
        raise SampleError(
            f"annotation {annotation} has more than {MOST_COLUMNS} columns: it is no annotation"
        )
    header = tuple(names or (name.strip() for name in found))
    first = header_line if names else header_line + 1
    return TextTable(annotation, header, first, body, separator, options.decimal)


def find_header(
    annotation: Path, name: str, options: AnnotationTable
) -> tuple[int, dict[str, str]]:
    """Find the header of a table that begins with lines about it.

    Args:
        annotation: file.
        name: a column that the header has.
        options: the config's separator.

    Returns:
        Number of the header's line, from 1, and the second cell of each line before it by the
        first, as `plain_name`.

    Raises:
        SampleError: there is no such header near the file's beginning.
    """
    before: dict[str, str] = {}
    for number, line in enumerate(read_head(annotation).splitlines()[:LONGEST_PREAMBLE], start=1):
        cells = next(csv.reader([line], delimiter=find_separator(line, options)), [])
        if any(plain_name(cell) == plain_name(name) for cell in cells):
            return number, before
        if len(cells) > 1:
            before[plain_name(cells[0])] = cells[1].strip()
    raise SampleError(f"annotation {annotation} has no line of names with a column {name!r}")


def target_of_folder(annotation: Path) -> Target:
    """The target whose name a folder on the way to a file has.

    Raises:
        SampleError: no folder is named like one.
    """
    for part in reversed(annotation.absolute().parent.parts):
        if plain_name(part) in list(Target):
            return Target(plain_name(part))
    raise SampleError(
        f"annotation {annotation} holds one target and lies in no folder named valence or arousal: "
        "name it in the sheet's column annotation_valence or annotation_arousal"
    )


def find_separator(line: str, options: AnnotationTable) -> str:
    """What separates the cells of a line: as the config says, else `guess_separator`."""
    if options.separator is not Separator.AUTO:
        return SEPARATORS[options.separator]
    return guess_separator(line)


def find_time(table: TextTable, options: AnnotationTable) -> int:
    """Place of the column of times.

    Raises:
        SampleError: there is none.
    """
    place = table.find(*([options.time] if options.time else TIMES))
    if place is None:
        wanted = f"named {options.time!r} (labels.table.time)" if options.time else "of times"
        raise SampleError(
            f"annotation {table.path} has no column {wanted}; its columns are "
            f"{shown_names(table)}: name one in labels.table.time"
        )
    return place


def find_unit(table: TextTable, place: int, options: AnnotationTable) -> TimeUnit:
    """Unit of the column of times: as the config says, else as its name does, else seconds."""
    if options.unit is not TimeUnit.AUTO:
        return options.unit
    named = MILLISECONDS.search(plain_name(table.names[place]))
    return TimeUnit.MILLISECONDS if named else TimeUnit.SECONDS


def to_seconds(times: NDArray[np.float64], unit: TimeUnit) -> NDArray[np.float64]:
    """Convert times to seconds."""
    return times / 1000 if unit is TimeUnit.MILLISECONDS else times


def find_values(
    table: TextTable, target: Target | None, options: AnnotationTable, apart: Sequence[int]
) -> list[Column]:
    """Find the columns of values.

    Args:
        table: the table.
        target: what the file holds, if the sheet says so.
        options: the config's names.
        apart: places of columns that hold no values.

    Raises:
        SampleError: a column that the config names is not there, or none is found.
    """
    columns: list[Column] = []
    for each in Target if target is None else [target]:
        columns += _named_columns(table, each, options) or _own_columns(table, each)
    if columns or target is None:
        return columns or _refuse(table)
    place = table.find(*VALUES)
    if place is not None:
        return [Column(place, target)]
    rest = [place for place in range(len(table.names)) if place not in apart]
    return [Column(rest[0], target)] if len(rest) == 1 else _refuse(table)


def _named_columns(table: TextTable, target: Target, options: AnnotationTable) -> list[Column]:
    names = options.valence if target is Target.VALENCE else options.arousal
    columns = []
    for name in names:
        place = table.find(name)
        if place is None:
            raise SampleError(
                f"annotation {table.path} has no column {name!r} (labels.table.{target}); its "
                f"columns are {shown_names(table)}"
            )
        columns.append(Column(place, target, name if len(names) > 1 else ""))
    return columns


def _own_columns(table: TextTable, target: Target) -> list[Column]:
    """Columns whose names begin with a target: ``valence``, or ``valence_A1`` of several."""
    found = []
    for place, name in enumerate(table.names):
        plain = plain_name(name)
        rest = plain.removeprefix(target)
        if plain.startswith(target) and not rest[:1].isalpha():
            found.append(Column(place, target, rest.strip("_-.:()[]")))
    return found


def _refuse(table: TextTable) -> list[Column]:
    raise SampleError(
        f"annotation {table.path} has no column valence or arousal; its columns are "
        f"{shown_names(table)}: name them in labels.table.valence and labels.table.arousal; a file "
        "of one target goes into the sheet's column annotation_valence or annotation_arousal"
    )


def shown_names(table: TextTable) -> str:
    """The names of a table's columns, for messages."""
    text = ", ".join(map(repr, table.names))
    return text if len(text) <= 200 else f"{text[:197]}..."


def traces_of(
    table: TextTable,
    columns: Sequence[Column],
    time: int,
    unit: TimeUnit,
    options: AnnotationTable,
    range_: tuple[float, float] | None = None,
) -> list[Trace]:
    """The traces of columns of values, by annotator where a column names the annotator of a row.

    Raises:
        SampleError: a cell is no number, or times do not increase.
    """
    lines, (times, *values) = table.numbers([time, *(column.place for column in columns)])
    time_s = to_seconds(times, unit)
    who = table.find(*([options.annotator] if options.annotator else ANNOTATORS))
    if options.annotator and who is None:
        raise SampleError(
            f"annotation {table.path} has no column {options.annotator!r} "
            f"(labels.table.annotator); its columns are {shown_names(table)}"
        )
    names = np.array(table.texts(who)) if who is not None else np.full(len(lines), "")
    numbers = np.array(lines, dtype=np.int64)
    traces = []
    for name in dict.fromkeys(names.tolist()) or [""]:
        mine = names == name
        check_times(table.path, time_s[mine], numbers[mine].tolist())
        traces += [
            Trace(
                target=column.target,
                annotator=" ".join(filter(None, (name, column.annotator))),
                time_s=time_s[mine],
                values=found[mine],
                range=range_,
                unit=unit,
            )
            for column, found in zip(columns, values, strict=True)
        ]
    return traces

"""Shared parts of the readers of still-image sets: strict tables and deterministic splits."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from circumplex.backbones.stills import SetDescription, Still, StillSplit
from circumplex.config.validation import suggestion
from circumplex.errors import StillSetError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class StillReader(Protocol):
    """A set in one published layout.

    Attributes:
        left_out: number of images that the set itself excludes, by reason, counted while reading.
    """

    left_out: Counter[str]

    def describe(self, name: str) -> SetDescription:
        """Describe the set for its table.

        Raises:
            StillSetError: the folder is not in the published layout.
        """

    def stills(self) -> Iterator[Still]:
        """Yield the rows; images are not opened.

        Raises:
            StillSetError: a row cannot be read; the message names the file and the row.
        """


@dataclass(frozen=True)
class Folds:
    """Which people are held out: no person is in two splits.

    Attributes:
        count: number of folds.
        val: fold that is the validation set, from 1; 0 for none.
        test: fold that is the test set, from 1; 0 for none.
        seed: seed of the division.
    """

    count: int = 5
    val: int = 1
    test: int = 2
    seed: int = 0

    def split(self, subjects: Iterable[str]) -> dict[str, StillSplit]:
        """Split of each person; folds differ by at most one person.

        Raises:
            StillSetError: more folds than people, or no such fold.
        """
        names = sorted(set(subjects))
        if self.count > len(names):
            raise StillSetError(f"{self.count} folds of {len(names)} people: ask for fewer folds")
        if max(self.val, self.test) > self.count or (self.val == self.test and self.val):
            raise StillSetError(
                f"folds {self.val} and {self.test} of {self.count}: no such division"
            )
        order = np.random.default_rng(self.seed).permutation(len(names))
        held_out = {self.val: StillSplit.VAL, self.test: StillSplit.TEST}
        held_out.pop(0, None)
        return {
            names[person]: held_out.get(position % self.count + 1, StillSplit.TRAIN)
            for position, person in enumerate(order)
        }


@dataclass(frozen=True)
class HeldOut:
    """A share of the training images as validation set, where a set has none of its own.

    Attributes:
        share: share of the images, in [0, 1]; their names alone decide which ones.
        seed: seed of the choice.
    """

    share: float = 0.0
    seed: int = 0

    def split(self, name: str) -> StillSplit:
        """Split of a training image."""
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        position = int.from_bytes(digest[:8]) / 2**64
        return StillSplit.VAL if position < self.share else StillSplit.TRAIN


def require(*candidates: Path, what: str) -> Path:
    """The first of several paths that is there.

    Raises:
        StillSetError: none is.
    """
    for path in candidates:
        if path.exists():
            return path
    places = " or ".join(str(path) for path in candidates)
    raise StillSetError(f"{places} is missing: {what}")


@dataclass
class Table:
    """A delimited text with a header, read row by row; messages name file and line.

    Attributes:
        path: path of the text.
        columns: required columns; case and surrounding blanks of names are ignored.
        header: names for a text without a header; a text with the first name has a header.
    """

    path: Path
    columns: Sequence[str] = ()
    header: Sequence[str] | None = None
    line: int = field(default=0, init=False)

    def rows(self) -> Iterator[dict[str, str]]:
        """The rows, each by column.

        Raises:
            StillSetError: a column is missing, or a row is of another length.
        """
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield from self._parse(csv.reader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise StillSetError(f"{self.path}: cannot be read: {error}") from error

    def _parse(self, reader: Iterator[list[str]]) -> Iterator[dict[str, str]]:
        names: list[str] | None = None
        for self.line, cells in enumerate(reader, start=1):
            if not cells:
                continue
            if names is None:
                names = [cell.strip().lower() for cell in cells]
                given = [name.lower() for name in self.header or ()]
                is_header = not given or given[0] in names
                names = names if is_header else given
                self._check(names)
                if is_header:
                    continue
            if len(cells) != len(names):
                raise self.error(f"{len(cells)} values, expected {len(names)}")
            yield dict(zip(names, (cell.strip() for cell in cells), strict=True))
        if names is None:
            raise StillSetError(f"{self.path}: is empty")

    def _check(self, names: list[str]) -> None:
        for column in self.columns:
            if column.lower() not in names:
                raise StillSetError(f"{self.path}: no column {column!r}{suggestion(column, names)}")
        if len(set(names)) < len(names):
            raise StillSetError(f"{self.path}: two columns of one name")

    def error(self, problem: str) -> StillSetError:
        """Make an error about the row that was read last."""
        return StillSetError(f"{self.path}, line {self.line}: {problem}")

    def number(self, row: Mapping[str, str], column: str, kind: type[float] = float) -> float:
        """A value of the row just read.

        Raises:
            StillSetError: it is no finite number (or no whole one, for ``int``).
        """
        try:
            value = kind(row[column])
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            wanted = "whole number" if kind is int else "number"
            raise self.error(f"{column} is {row[column]!r}, not a {wanted}")
        return value


def frame_files(folder: Path) -> dict[int, str]:
    """List the images of a folder by the number in their name: ``0012.jpg`` is 12.

    Raises:
        StillSetError: a name is no number, or two names are the same one.
    """
    found: dict[int, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            number = int(path.stem) if path.stem.isascii() and path.stem.isdigit() else -1
            if number < 0:
                raise StillSetError(f"{path}: its name is not the number of a frame")
            if number in found:
                raise StillSetError(f"{path}: is the same frame as {found[number]}")
            found[number] = path.name
    return found


def five_points(points: Sequence[float]) -> tuple[float, ...]:
    """Reduce 68 points (x and y alternate) to eye centres, tip of the nose and mouth corners."""
    pairs = np.asarray(points, np.float64).reshape(68, 2)
    chosen = [pairs[36:42].mean(0), pairs[42:48].mean(0), pairs[30], pairs[48], pairs[54]]
    return tuple(float(value) for value in np.concatenate(chosen))

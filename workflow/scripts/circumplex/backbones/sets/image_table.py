"""Any set of still images as a CSV file of the user's own, one row per image."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from circumplex.backbones.sets.base import Folds, Table, require
from circumplex.backbones.stills import EXPRESSIONS, NO_LABEL, SetDescription, Still, StillSplit
from circumplex.config.validation import suggestion
from circumplex.errors import StillSetError

LICENCE = "Of the user's own set: see there."
UNIT = re.compile(r"au0*(\d{1,2})")
POINTS = tuple(f"{axis}{point}" for point in range(1, 6) for axis in "xy")
KNOWN = ("image", "split", "subject", "expression", "valence", "arousal", *POINTS)
NAN = float("nan")


@dataclass
class ImageTable:
    """A csv with the column ``image``, paths beside the csv or below ``images``, and any others.

    ``split`` (train, val, test) or ``subject``, by whom images are divided then; ``expression``
    (a name of `EXPRESSIONS`); ``valence`` and ``arousal`` in [-1, 1]; action units as ``AU01``;
    ``x1``, ``y1`` to ``x5``, ``y5``, the five points of faces that are not aligned. An empty cell
    is unknown.

    Attributes:
        path: path of the CSV file.
        images: folder of the images; by default the csv's.
        classes: 8, or 7 without contempt, or 0 where no expression is labelled.
        present_from: least value of an action unit that counts as present.
        folds: of people, where there is no column ``split``.
    """

    path: Path
    images: Path | None = None
    classes: int = 8
    present_from: float = 1.0
    folds: Folds = field(default_factory=Folds)
    left_out: Counter[str] = field(default_factory=Counter, init=False)

    def describe(self, name: str) -> SetDescription:
        """See `StillReader`."""
        return SetDescription(
            name,
            "image_table",
            str(self.images or self.path.parent),
            EXPRESSIONS[: self.classes],
            tuple(self._units),
            self.present_from,
            licence=LICENCE,
        )

    def stills(self) -> Iterator[Still]:
        """See `StillReader`."""
        splits = {} if "split" in self._columns else self._divide()
        table = Table(self.path, ("image",))
        seen: set[str] = set()
        for row in table.rows():
            if row["image"] in seen or not row["image"]:
                raise table.error(f"image {row['image']!r} comes twice, or is empty")
            seen.add(row["image"])
            yield self._still(table, row, splits)

    @cached_property
    def _columns(self) -> list[str]:
        require(self.path, what="the csv of the set")
        first = next(Table(self.path, ("image",)).rows(), None)
        if first is None:
            raise StillSetError(f"{self.path}: holds no image")
        columns = list(first)
        for column in columns:
            if column not in KNOWN and not UNIT.fullmatch(column):
                near = suggestion(column, [*KNOWN, "AU01"])
                raise StillSetError(f"{self.path}: unknown column {column!r}{near}")
        given = [point for point in POINTS if point in columns]
        if given and len(given) < len(POINTS):
            raise StillSetError(f"{self.path}: landmarks are the ten columns {', '.join(POINTS)}")
        if not {"split", "subject"} & set(columns):
            raise StillSetError(f"{self.path}: needs a column split, or subject to divide by")
        return columns

    @cached_property
    def _units(self) -> dict[int, str]:
        found = {int(m[1]): column for column in self._columns if (m := UNIT.fullmatch(column))}
        return dict(sorted(found.items()))

    def _divide(self) -> dict[str, StillSplit]:
        table = Table(self.path)
        subjects = set()
        for row in table.rows():
            if not row["subject"]:
                raise table.error("no subject, and no column split")
            subjects.add(row["subject"])
        return self.folds.split(subjects)

    def _still(self, table: Table, row: dict[str, str], splits: dict[str, StillSplit]) -> Still:
        subject = row.get("subject", "")
        expression = row.get("expression", "")
        if expression and expression not in EXPRESSIONS[: self.classes]:
            known = suggestion(expression, list(EXPRESSIONS[: self.classes]))
            raise table.error(f"expression {expression!r} is not one of the set's{known}")
        points = tuple(self._number(table, row, point) for point in POINTS)
        return Still(
            row["image"],
            splits[subject] if splits else self._split(table, row["split"]),
            label=EXPRESSIONS.index(expression) if expression else NO_LABEL,
            valence=self._affect(table, row, "valence"),
            arousal=self._affect(table, row, "arousal"),
            action_units=tuple(self._number(table, row, name) for name in self._units.values()),
            landmarks=None if any(map(math.isnan, points)) else points,
            subject=subject,
        )

    def _split(self, table: Table, text: str) -> StillSplit:
        try:
            return StillSplit(text)
        except ValueError:
            raise table.error(f"split is {text!r}, not train, val or test") from None

    def _affect(self, table: Table, row: dict[str, str], column: str) -> float:
        value = self._number(table, row, column)
        if abs(value) > 1:
            raise table.error(f"{column} is {value:g}, beyond -1 ... 1")
        return value

    def _number(self, table: Table, row: dict[str, str], column: str) -> float:
        return table.number(row, column) if row.get(column) else NAN

"""BP4D-Spontaneous: action units of 41 people in eight tasks, coded frame by frame."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from circumplex.backbones.sets.base import Folds, Table, frame_files, require
from circumplex.backbones.stills import SetDescription, Still
from circumplex.config.still_sets import Coding
from circumplex.errors import StillSetError

LICENCE = (
    "BP4D-Spontaneous (Zhang et al., Image and Vision Computing 2014): non-commercial research, by "
    "an agreement with Binghamton University (cs.binghamton.edu/~lijun/Research/3DFE); not to be "
    "passed on."
)
CODE_FILE = re.compile(r"([FM]\d{3})_(T\d+)\.csv")
UNIT = re.compile(r"(?:AU)?0*(\d+)", re.IGNORECASE)
NOT_CODED = ("9", "-1", "")
NAN = float("nan")


@dataclass
class Bp4d:
    """``AUCoding`` below ``path``, and a folder of face crops, ``<subject>/<task>/<frame>.jpg``.

    Occurrences are ``AUCoding/AU_OCC/F001_T1.csv`` (or ``AUCoding/F001_T1.csv``): a row per frame
    under a header of action units, 9 for not coded. Intensities are
    ``AUCoding/AU_INT/AU06/F001_T1_AU06.csv``: frame and value, without header.

    Attributes:
        path: folder of the set.
        images: folder of aligned crops, named by the frame's number (leading zeros do not count).
        coding: kind of coding to read.
        every: use every n-th frame only, since neighbouring frames are nearly identical.
        folds: folds of people.
    """

    path: Path
    images: Path
    coding: Coding = Coding.OCCURRENCE
    every: int = 1
    folds: Folds = field(default_factory=Folds)
    left_out: Counter[str] = field(default_factory=Counter, init=False)

    def describe(self, name: str) -> SetDescription:
        """See `StillReader`."""
        units = tuple(self._units())
        return SetDescription(name, "bp4d", str(self.images), (), units, licence=LICENCE)

    def stills(self) -> Iterator[Still]:
        """See `StillReader`."""
        units, sequences = list(self._units()), self._sequences()
        splits = self.folds.split(subject for subject, _ in sequences)
        for subject, task in sequences:
            folder = self.images / subject / task
            if not folder.is_dir():
                self.left_out["sequences without images"] += 1
                continue
            files = frame_files(folder)
            coded = self._read_codes(subject, task, units)
            self.left_out["images without coding"] += len(files.keys() - coded.keys())
            self.left_out["coded frames without image"] += len(coded.keys() - files.keys())
            for number in sorted(files.keys() & coded.keys()):
                if number % self.every == 0:
                    image = f"{subject}/{task}/{files[number]}"
                    yield Still(image, splits[subject], action_units=coded[number], subject=subject)

    def _sequences(self) -> list[tuple[str, str]]:
        if self.coding is Coding.OCCURRENCE:
            names = [path.name for path in self._occurrences().iterdir()]
        else:
            names = [
                re.sub(r"_AU\d+\.csv$", ".csv", path.name)
                for folder in self._units().values()
                for path in folder.iterdir()
            ]
        matches = [match for name in sorted(set(names)) if (match := CODE_FILE.fullmatch(name))]
        if not matches:
            raise StillSetError(f"{self.path / 'AUCoding'}: holds no coding such as F001_T1.csv")
        return [(match[1], match[2]) for match in matches]

    def _occurrences(self) -> Path:
        coding = self.path / "AUCoding"
        return require(coding / "AU_OCC", coding, what="the action units of BP4D")

    def _units(self) -> dict[int, Path]:
        """The action units that are coded, with the folder of each, in order."""
        if self.coding is Coding.INTENSITY:
            folder = require(self.path / "AUCoding" / "AU_INT", what="the intensities of BP4D")
            found = {
                int(match[1]): path
                for path in folder.iterdir()
                if (match := UNIT.fullmatch(path.name))
            }
        else:
            folder = self._occurrences()
            subject, task = self._sequences()[0]
            rows = Table(folder / f"{subject}_{task}.csv").rows()
            header = list(next(rows, {}))[1:]
            found = {int(m[1]): folder for name in header if (m := UNIT.fullmatch(name))}
        if not found:
            raise StillSetError(f"{folder}: no action unit is coded")
        return dict(sorted(found.items()))

    def _read_codes(
        self, subject: str, task: str, units: list[int]
    ) -> dict[int, tuple[float, ...]]:
        if self.coding is Coding.OCCURRENCE:
            return self._read_occurrences(self._occurrences() / f"{subject}_{task}.csv", units)
        columns = {}
        for unit, folder in self._units().items():
            path = folder / f"{subject}_{task}_{folder.name}.csv"
            columns[unit] = self._intensities(path) if path.is_file() else {}
        frames = {frame for column in columns.values() for frame in column}
        return {f: tuple(columns[unit].get(f, NAN) for unit in units) for f in frames}

    def _read_occurrences(self, path: Path, units: list[int]) -> dict[int, tuple[float, ...]]:
        table = Table(path)
        coded = {}
        for row in table.rows():
            names = list(row)
            own = {int(m[1]): name for name in names[1:] if (m := UNIT.fullmatch(name))}
            if list(own) != units:
                raise StillSetError(
                    f"{path}: other action units than in the first file: {list(own)}"
                )
            frame = int(table.number(row, names[0], int))
            coded[frame] = tuple(_code(table, row[own[unit]], 1) for unit in units)
        return coded

    def _intensities(self, path: Path) -> dict[int, float]:
        table = Table(path, header=("frame", "intensity"))
        return {
            int(table.number(row, "frame", int)): _code(table, row["intensity"], 5)
            for row in table.rows()
        }


def _code(table: Table, text: str, highest: int) -> float:
    if text in NOT_CODED:
        return NAN
    if text not in map(str, range(highest + 1)):
        raise table.error(f"{text!r} is no code from 0 to {highest}, nor 9 for not coded")
    return float(text)

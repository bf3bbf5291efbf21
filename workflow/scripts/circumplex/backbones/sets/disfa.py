"""DISFA: intensities 0 to 5 of twelve action units, of 27 people watching a film."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from circumplex.backbones.sets.base import Folds, Table, frame_files, require
from circumplex.backbones.stills import SetDescription, Still
from circumplex.errors import StillSetError

LICENCE = (
    "DISFA (Mavadati et al., IEEE TAC 2013): non-commercial research, by an agreement with the "
    "University of Denver (mohammadmahoor.com/disfa); not to be passed on."
)
UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
PRESENT_FROM = 2.0  # as the field counts: intensity B and above
SUBJECT = re.compile(r"SN\d{3}")


@dataclass
class Disfa:
    """``ActionUnit_Labels/SN001/SN001_au1.txt`` below ``path``, and crops ``SN001/<frame>.png``.

    A label file has one line ``frame,intensity`` per frame, from 1. The set holds videos;
    ``images`` are aligned crops of their frames.

    Attributes:
        path: folder of the set.
        images: folder of aligned crops, named by the frame's number.
        first_frame: number of the crop of the first frame: tools count from 0 or from 1.
        every: use every n-th frame only, since neighbouring frames are nearly identical.
        folds: folds of people.
    """

    path: Path
    images: Path
    first_frame: int = 1
    every: int = 1
    folds: Folds = field(default_factory=Folds)
    left_out: Counter[str] = field(default_factory=Counter, init=False)

    def describe(self, name: str) -> SetDescription:
        """See `StillReader`."""
        self._subjects()
        return SetDescription(
            name, "disfa", str(self.images), (), UNITS, PRESENT_FROM, licence=LICENCE
        )

    def stills(self) -> Iterator[Still]:
        """See `StillReader`."""
        subjects = self._subjects()
        splits = self.folds.split(subjects)
        for subject in subjects:
            folder = self.images / subject
            if not folder.is_dir():
                self.left_out["people without images"] += 1
                continue
            shift = 1 - self.first_frame
            files = {number + shift: name for number, name in frame_files(folder).items()}
            columns = [self._intensities(subject, unit) for unit in UNITS]
            coded = set.intersection(*(set(column) for column in columns))
            self.left_out["images without coding"] += len(files.keys() - coded)
            self.left_out["coded frames without image"] += len(coded - files.keys())
            for number in sorted(files.keys() & coded):
                if number % self.every == 0:
                    values = tuple(column[number] for column in columns)
                    image = f"{subject}/{files[number]}"
                    yield Still(image, splits[subject], action_units=values, subject=subject)

    def _labels(self) -> Path:
        return require(self.path / "ActionUnit_Labels", what="the action units of DISFA")

    def _subjects(self) -> list[str]:
        folder = self._labels()
        names = sorted(p.name for p in folder.iterdir() if SUBJECT.fullmatch(p.name))
        if not names:
            raise StillSetError(f"{folder}: holds no person such as SN001")
        return names

    def _intensities(self, subject: str, unit: int) -> dict[int, float]:
        path = self._labels() / subject / f"{subject}_au{unit}.txt"
        table = Table(require(path, what="DISFA codes 12 action units"), header=("frame", "code"))
        coded = {}
        for row in table.rows():
            if row["code"] not in ("0", "1", "2", "3", "4", "5"):
                raise table.error(f"{row['code']!r} is no intensity from 0 to 5")
            coded[int(table.number(row, "frame", int))] = float(row["code"])
        return coded

"""FER+: Microsoft's ten votes per face (`fer2013new.csv`) on the images of FER2013.

Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", ICMI 2016; the rules for votes are those of the code published with it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np

from circumplex.backbones.sets.base import IMAGE_SUFFIXES, Table, require
from circumplex.backbones.stills import EXPRESSIONS, SetDescription, Still, StillSplit
from circumplex.config.still_sets import Target
from circumplex.errors import StillSetError

LICENCE = (
    "Labels: Microsoft, MIT licence (github.com/microsoft/FERPlus). Images: FER2013, of the Kaggle "
    "challenge of 2013, for research; gathered from the web, rights with their owners."
)
VOTES = (*EXPRESSIONS, "unknown", "NF")
SPLITS = {
    "Training": StillSplit.TRAIN,
    "PublicTest": StillSplit.VAL,
    "PrivateTest": StillSplit.TEST,
}
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
SIDE = 48
MOST_NAMED = 5


def vote_distribution(votes: Sequence[int], target: Target) -> tuple[float, ...] | None:
    """Distribution over the eight expressions that votes stand for, or none.

    Single votes are taken for outliers. By majority, the one choice of more than half of the rest
    counts. Otherwise the most frequent choices are taken until they hold three quarters of the
    votes or are three, equal ones together; fewer than half of the votes, or more than three
    choices, stand for nothing. Nor do votes of which most say "unknown" or "not a face".

    Args:
        votes: for each of `VOTES`.
        target: what is to be trained on.
    """
    left = np.array([count if count > 1 else 0 for count in votes])
    total = left.sum()
    taken = np.zeros(len(VOTES))
    if target is Target.MAJORITY:
        if 2 * left.max() > total:
            taken[left.argmax()] = 1
    else:
        seen = chosen = 0
        expressions_only = True
        while seen < 0.75 * total and chosen < 3 and expressions_only:
            for choice in np.flatnonzero(left == left.max()):
                expressions_only = bool(choice < len(EXPRESSIONS))
                seen += left[choice]
                if not expressions_only and taken.any():
                    break  # expressions went before: "unknown" is not taken
                taken[choice], left[choice] = left[choice], 0
                chosen += 1
                if not expressions_only:
                    break
        if 2 * taken.sum() <= total or chosen > 3:
            return None
    if taken.argmax() >= len(EXPRESSIONS) or not taken.any():
        return None
    expressions = taken[: len(EXPRESSIONS)]
    return tuple(float(share) for share in expressions / expressions.sum())


@dataclass
class FerPlus:
    """The folder ``path`` holds ``fer2013new.csv``, and either ``fer2013.csv`` or three folders.

    The two csvs are joined row by row. The folders ``FER2013Train``, ``FER2013Valid`` and
    ``FER2013Test``, as Microsoft's script writes them, are joined by the names that
    ``fer2013new.csv`` gives. The number in such a name is not the row: rows without a face have no
    name, and numbers run behind more and more.

    Attributes:
        path: the folder.
        target: of the training set; validation and test sets are by majority, as published.
    """

    path: Path
    target: Target = Target.MAJORITY
    left_out: Counter[str] = field(default_factory=Counter, init=False)

    def describe(self, name: str) -> SetDescription:
        """See `StillReader`."""
        require(self.path / "fer2013new.csv", what="the labels of FER+")
        self._pixels()
        return SetDescription(
            name, "ferplus", str(self.path), EXPRESSIONS, target=self.target, licence=LICENCE
        )

    def stills(self) -> Iterator[Still]:
        """See `StillReader`."""
        labels = Table(self.path / "fer2013new.csv", ("usage", "image name", *VOTES))
        pixels = self._pixels()
        return self._join(labels, pixels) if pixels else self._named(labels)

    def _pixels(self) -> Path | None:
        path = self.path / "fer2013.csv"
        if path.is_file():
            return path
        for folder in FOLDERS.values():
            require(self.path / folder, what=f"the images of FER2013, unless {path} is there")
        return None

    def _join(self, labels: Table, path: Path) -> Iterator[Still]:
        images = Table(path, ("pixels", "usage"))
        for row, image in zip_longest(labels.rows(), images.rows()):
            if row is None or image is None:
                shorter = labels if row is None else images
                raise StillSetError(
                    f"{shorter.path}: has fewer rows than the other csv: they are joined row by row"
                )
            if row["usage"] != image["usage"]:
                raise images.error(
                    f"usage is {image['usage']!r}, but {row['usage']!r} on line {labels.line} of "
                    f"{labels.path.name}: the rows of the two must have the same order"
                )
            name = row["image name"] or "unnamed"
            still = self._still(labels, row, f"{name}, line {images.line} of fer2013.csv")
            if still is not None:
                yield Still(
                    still.image,
                    still.split,
                    inline=_png(images, image["pixels"]),
                    label=still.label,
                    votes=still.votes,
                )

    def _named(self, labels: Table) -> Iterator[Still]:
        rows: dict[tuple[str, str], tuple[Still | None, tuple[str, ...]]] = {}
        ambiguous: set[tuple[str, str]] = set()
        for row in labels.rows():
            votes = tuple(row[choice.lower()] for choice in VOTES)
            folder = FOLDERS.get(row["usage"], "")
            key = (row["usage"], row["image name"])
            still = self._still(labels, row, f"{folder}/{row['image name']}")
            if not row["image name"]:
                continue
            if key in rows and rows[key][1] != votes:
                ambiguous.add(key)
            rows[key] = (still, votes)
        self._refuse_other_names(set(rows))
        for key, (still, _) in rows.items():
            if key in ambiguous:
                self.left_out["one name for two rows with other votes"] += 1
            elif still is not None:
                yield still

    def _refuse_other_names(self, known: set[tuple[str, str]]) -> None:
        for usage, folder in FOLDERS.items():
            names = sorted(p.name for p in (self.path / folder).iterdir() if p.is_file())
            images = [name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES]
            unknown = [name for name in images if (usage, name) not in known]
            if unknown:
                named = ", ".join(unknown[:MOST_NAMED])
                raise StillSetError(
                    f"{self.path / folder}: {len(unknown)} of {len(images)} images have names that "
                    f"fer2013new.csv does not give for {usage}, as {named}: they cannot be joined "
                    "to votes, since the number in a file's name is not its row; take fer2013.csv"
                )

    def _still(self, labels: Table, row: dict[str, str], name: str) -> Still | None:
        if row["usage"] not in SPLITS:
            raise labels.error(f"usage is {row['usage']!r}, expected one of {', '.join(SPLITS)}")
        votes = [int(labels.number(row, choice.lower(), int)) for choice in VOTES]
        if min(votes) < 0:
            raise labels.error("a number of votes is below 0")
        split = SPLITS[row["usage"]]
        target = self.target if split is StillSplit.TRAIN else Target.MAJORITY
        distribution = vote_distribution(votes, target)
        if distribution is None:
            self.left_out["votes for no expression"] += 1
            return None
        label = int(np.argmax(distribution))
        return Still(name, split, label=label, votes=distribution)


def _png(table: Table, pixels: str) -> bytes:
    try:
        values = np.array(pixels.split(), dtype=np.int64)
    except ValueError:
        values = np.array([-1])
    if len(values) != SIDE**2 or values.min() < 0 or values.max() > 255:
        raise table.error(f"pixels are not {SIDE}x{SIDE} whole numbers from 0 to 255")
    return bytes(cv2.imencode(".png", values.astype(np.uint8).reshape(SIDE, SIDE))[1])

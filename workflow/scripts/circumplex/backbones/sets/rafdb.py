"""RAF-DB, single-label subset: seven expressions of faces from the web, aligned images."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from circumplex.backbones.sets.base import HeldOut, require
from circumplex.backbones.stills import EXPRESSIONS, SetDescription, Still, StillSplit
from circumplex.errors import StillSetError

LICENCE = (
    "RAF-DB (Li et al., CVPR 2017): non-commercial research, on request of a member of an "
    "institution to the authors (whdeng.cn/RAF/model1.html); not to be passed on."
)
CODES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""Of the labels 1 to 7."""


@dataclass
class RafDb:
    """The folder ``basic`` as distributed, or its parent folder.

    ``EmoLabel/list_patition_label.txt`` (sic) has a line per image, such as ``train_00001.jpg 5``,
    whose aligned image is ``Image/aligned/train_00001_aligned.jpg``.

    Attributes:
        path: folder of the set.
        held_out: part of the training set used as validation set, since the set has none.
    """

    path: Path
    held_out: HeldOut = field(default_factory=HeldOut)
    left_out: Counter[str] = field(default_factory=Counter, init=False)

    def describe(self, name: str) -> SetDescription:
        """See `StillReader`."""
        root = self._labels().parents[1]
        require(root / "Image" / "aligned", what="the aligned images of RAF-DB")
        return SetDescription(name, "rafdb", str(root), EXPRESSIONS[:-1], licence=LICENCE)

    def stills(self) -> Iterator[Still]:
        """See `StillReader`."""
        path = self._labels()
        seen: set[str] = set()
        with path.open(encoding="utf-8") as file:
            for line, text in enumerate(file, start=1):
                if text.strip():
                    still = self._still(text.split(), f"{path}, line {line}")
                    if still.image in seen:
                        raise StillSetError(f"{path}, line {line}: {still.image} comes twice")
                    seen.add(still.image)
                    yield still

    def _labels(self) -> Path:
        name = Path("EmoLabel", "list_patition_label.txt")
        what = "the labels of RAF-DB's single-label subset"
        return require(self.path / name, self.path / "basic" / name, what=what)

    def _still(self, cells: list[str], where: str) -> Still:
        if len(cells) != 2 or cells[1] not in map(str, range(1, len(CODES) + 1)):
            raise StillSetError(f"{where}: {' '.join(cells)!r} is not an image and a label 1 to 7")
        name = Path(cells[0])
        part = name.name.partition("_")[0]
        if part not in ("train", "test") or name.name != cells[0]:
            raise StillSetError(f"{where}: {cells[0]!r} is neither train_... nor test_...")
        split = self.held_out.split(name.stem) if part == "train" else StillSplit.TEST
        image = f"Image/aligned/{name.stem}_aligned.jpg"
        return Still(image, split, label=EXPRESSIONS.index(CODES[int(cells[1]) - 1]))

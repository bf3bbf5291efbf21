"""AffectNet, manually annotated: expressions, valence and arousal of faces from the web."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from circumplex.backbones.sets.base import HeldOut, Table, five_points, require
from circumplex.backbones.stills import EXPRESSIONS, SetDescription, Still, StillSplit
from circumplex.errors import StillSetError

LICENCE = (
    "AffectNet (Mollahosseini, Hasani, Mahoor, IEEE TAC 2017): non-commercial research, by an "
    "agreement that a professor or research director signs (mohammadmahoor.com/affectnet); not to "
    "be passed on."
)
CODES = (
    *("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
    *("none", "uncertain", "no face"),
)
"""Of the expressions 0 to 10."""
COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
UNKNOWN = -2.0  # valence and arousal of what has none
NAN = float("nan")


@dataclass
class AffectNet:
    """The folder ``path`` is in one of the two layouts that were handed out.

    The older: ``training.csv`` and ``validation.csv`` (there or in
    ``Manually_Annotated_file_lists``), and whole pictures in ``Manually_Annotated_Images``, each
    face with 68 landmarks. The newer: ``train_set`` and ``val_set``, each with ``images`` (faces)
    and ``annotations`` (``<image>_exp.npy``, ``_val``, ``_aro``, ``_lnd``). Faces are aligned by
    their landmarks.

    Attributes:
        path: the folder.
        classes: 8, or 7 without contempt.
        held_out: part of the training set as validation set; the official one is the test set then,
            since the test set was never handed out.
    """

    path: Path
    classes: int = 8
    held_out: HeldOut = field(default_factory=HeldOut)
    left_out: Counter[str] = field(default_factory=Counter, init=False)

    def describe(self, name: str) -> SetDescription:
        """See `StillReader`."""
        classes = EXPRESSIONS[: self.classes]
        if self._in_folders:
            for part in ("train_set", "val_set"):
                for folder in ("images", "annotations"):
                    require(self.path / part / folder, what="the newer layout of AffectNet has it")
            root = self.path
        else:
            self._list("training.csv"), self._list("validation.csv")
            root = self._pictures()
        return SetDescription(name, "affectnet", str(root), classes, licence=LICENCE)

    def stills(self) -> Iterator[Still]:
        """See `StillReader`."""
        if self._in_folders:
            yield from self._read_folders("train_set", training=True)
            yield from self._read_folders("val_set", training=False)
        else:
            yield from self._read_listed(self._list("training.csv"), training=True)
            yield from self._read_listed(self._list("validation.csv"), training=False)

    @property
    def _in_folders(self) -> bool:
        return (self.path / "train_set").is_dir()

    def _list(self, name: str) -> Path:
        lists = self.path / "Manually_Annotated_file_lists"
        what = "AffectNet has training.csv and validation.csv, or train_set and val_set"
        return require(self.path / name, lists / name, what=what)

    def _pictures(self) -> Path:
        name = "Manually_Annotated_Images"
        nested = self.path / "Manually_Annotated" / name
        return require(self.path / name, nested, what="the manually annotated pictures")

    def _split(self, image: str, training: bool) -> StillSplit:
        if training:
            return self.held_out.split(image)
        return StillSplit.TEST if self.held_out.share else StillSplit.VAL

    def _read_listed(self, path: Path, training: bool) -> Iterator[Still]:
        table = Table(path, COLUMNS, header=COLUMNS)
        for row in table.rows():
            label = self._label(row["expression"], f"{path}, line {table.line}")
            if label is None:
                continue
            try:
                points = five_points([float(value) for value in row["facial_landmarks"].split(";")])
            except ValueError:
                self.left_out["without 68 landmarks"] += 1
                continue
            image = row["subdirectory_filepath"]
            valence, arousal = (table.number(row, name) for name in ("valence", "arousal"))
            yield self._still(image, training, label, valence, arousal, points)

    def _read_folders(self, part: str, training: bool) -> Iterator[Still]:
        annotations = self.path / part / "annotations"
        for name in sorted(path.name for path in (self.path / part / "images").iterdir()):
            stem = Path(name).stem
            expression = annotations / f"{stem}_exp.npy"
            if not expression.is_file():
                self.left_out["images without annotation"] += 1
                continue
            label = self._label(str(_value(expression)), str(expression))
            if label is None:
                continue
            valence, arousal = (_value(annotations / f"{stem}_{n}.npy") for n in ("val", "aro"))
            points = _points(annotations / f"{stem}_lnd.npy")
            yield self._still(f"{part}/images/{name}", training, label, valence, arousal, points)

    def _label(self, code: str, where: str) -> int | None:
        try:
            expression = CODES[int(float(code))]
        except (ValueError, IndexError):
            raise StillSetError(f"{where}: expression {code!r} is none of 0 to 10") from None
        if expression not in EXPRESSIONS[: self.classes]:
            self.left_out[expression] += 1
            return None
        return EXPRESSIONS.index(expression)

    def _still(
        self,
        image: str,
        training: bool,
        label: int,
        valence: float,
        arousal: float,
        points: tuple[float, ...] | None,
    ) -> Still:
        if UNKNOWN in (valence, arousal):
            valence = arousal = NAN
        elif max(abs(valence), abs(arousal)) > 1:
            self.left_out["valence or arousal beyond 1, kept without"] += 1
            valence = arousal = NAN
        return Still(
            image,
            self._split(image, training),
            label=label,
            valence=valence,
            arousal=arousal,
            landmarks=points,
        )


def _array(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise StillSetError(f"{path}: cannot be read: {error}") from error


def _value(path: Path) -> float:
    # Some of the files hold numbers as text.
    array = _array(path)
    try:
        value = float(array.item())
    except ValueError:
        value = NAN
    if not np.isfinite(value):
        raise StillSetError(f"{path}: holds {array!r}, not one number")
    return value


def _points(path: Path) -> tuple[float, ...] | None:
    if not path.is_file():
        return None
    array = _array(path)
    if array.size != 136:
        raise StillSetError(f"{path}: holds {array.size} values, not 68 points")
    return five_points(array.astype(np.float64).reshape(-1).tolist())

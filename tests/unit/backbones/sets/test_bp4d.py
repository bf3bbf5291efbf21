import math
from pathlib import Path

import pytest

from circumplex.backbones.sets.base import Folds
from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import StillSplit
from circumplex.config.still_sets import Coding
from circumplex.errors import StillSetError
from synthetic_stills import (
    BP4D_UNITS,
    PEOPLE,
    make_bp4d,
    write_image,
)

TRAIN, VAL, TEST = StillSplit


def read(kind: str, **options):
    reader = make_reader(kind, options)
    return reader, reader.describe("made"), list(reader.stills())


def edit(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("\n".join(lines) + "\n")


FOLDS = {"count": 5, "val": 1, "test": 2}


def exclusive(stills, folds: Folds) -> None:
    of_person = {}
    for still in stills:
        assert of_person.setdefault(still.subject, still.split) is still.split
    assert sorted(of_person.values()) == sorted([VAL, TEST] + [TRAIN] * (len(of_person) - 2))
    assert of_person == folds.split(of_person)


def test_bp4d_occurrence(tmp_path) -> None:
    path = make_bp4d(tmp_path)
    reader, description, stills = read(
        "bp4d", path=str(path), images=str(path / "crops"), folds=FOLDS
    )
    assert description.action_units == BP4D_UNITS
    assert len(stills) == 5 * len(PEOPLE)
    exclusive(stills, Folds(**FOLDS))
    first = stills[0]
    assert first.image == "F001/T1/0008.jpg"
    assert first.action_units[0] == 0
    assert math.isnan(first.action_units[1])
    assert first.action_units[2:] == (0, 1)
    assert reader.left_out["coded frames without image"] == len(PEOPLE)


def test_bp4d_intensity(tmp_path) -> None:
    path = make_bp4d(tmp_path)
    options = {"coding": Coding.INTENSITY.value, "every": 3, "folds": FOLDS}
    _, description, stills = read("bp4d", path=str(path), images=str(path / "crops"), **options)
    assert description.action_units == (6, 12)
    assert [still.image for still in stills[:2]] == ["F001/T1/0009.jpg", "F001/T1/0012.jpg"]
    assert stills[0].action_units == (3, 3)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: edit(p / "AUCoding/AU_OCC/F002_T1.csv", 3, "9", "2"), r"F002_T1\.csv, line 3"),
        (lambda p: edit(p / "AUCoding/AU_OCC/F002_T1.csv", 1, "12", "14"), r"other action units"),
        (lambda p: write_image(p / "crops/F001/T1/9.jpg", 0), r"is the same frame as"),
        (lambda p: write_image(p / "crops/F001/T1/a.jpg", 0), r"a\.jpg: its name is not"),
        (lambda p: edit(p / "AUCoding/AU_OCC/F002_T1.csv", 3, ",0,", ","), r"line 3: 4 values"),
    ],
)
def test_bp4d_defects(tmp_path, harm, message) -> None:
    path = make_bp4d(tmp_path)
    harm(path)
    with pytest.raises(StillSetError, match=message):
        read("bp4d", path=str(path), images=str(path / "crops"))

from pathlib import Path

import pytest

from circumplex.backbones.sets.base import Folds
from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import StillSplit
from circumplex.errors import StillSetError
from synthetic_stills import (
    DISFA_UNITS,
    make_disfa,
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


def exclusive(stills, folds: Folds) -> None:
    of_person = {}
    for still in stills:
        assert of_person.setdefault(still.subject, still.split) is still.split
    assert sorted(of_person.values()) == sorted([VAL, TEST] + [TRAIN] * (len(of_person) - 2))
    assert of_person == folds.split(of_person)


@pytest.mark.parametrize("first_frame", [0, 1])
def test_disfa(tmp_path, first_frame) -> None:
    path = make_disfa(tmp_path, first_frame)
    folds = {"count": 3, "val": 1, "test": 2}
    reader, description, stills = read(
        "disfa", path=str(path), images=str(path / "crops"), first_frame=first_frame, folds=folds
    )
    assert description.action_units == DISFA_UNITS
    assert description.present_from == 2
    assert len(stills) == 3 * 4
    exclusive(stills, Folds(**folds))
    assert stills[0].action_units == tuple(float((1 + unit) % 6) for unit in DISFA_UNITS)
    assert reader.left_out["coded frames without image"] == 3
    assert reader.left_out["images without coding"] == 0


def test_disfa_defects(tmp_path) -> None:
    path = make_disfa(tmp_path)
    label = path / "ActionUnit_Labels/SN002/SN002_au4.txt"
    edit(label, 2, "2,0", "2,6")
    with pytest.raises(StillSetError, match=r"SN002_au4\.txt, line 2: '6'"):
        read("disfa", path=str(path), images=str(path / "crops"), folds={"count": 3})
    label.unlink()
    with pytest.raises(StillSetError, match=r"SN002_au4\.txt is missing"):
        read("disfa", path=str(path), images=str(path / "crops"), folds={"count": 3})

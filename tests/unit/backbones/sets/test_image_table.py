import math

import pytest

from circumplex.backbones.sets.base import Folds
from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import StillSplit
from circumplex.errors import StillSetError
from synthetic_stills import (
    write_csv,
)

TRAIN, VAL, TEST = StillSplit


def read(kind: str, **options):
    reader = make_reader(kind, options)
    return reader, reader.describe("made"), list(reader.stills())


def exclusive(stills, folds: Folds) -> None:
    of_person = {}
    for still in stills:
        assert of_person.setdefault(still.subject, still.split) is still.split
    assert sorted(of_person.values()) == sorted([VAL, TEST] + [TRAIN] * (len(of_person) - 2))
    assert of_person == folds.split(of_person)


HEADER = ["image", "split", "subject", "expression", "valence", "arousal", "AU12", "au01"]


def test_image_table(tmp_path) -> None:
    points = [f"{axis}{k}" for k in range(1, 6) for axis in "xy"]
    rows = [
        [*HEADER, *points],
        ["a.png", "train", "p", "fear", 0.5, -1, 3, 0, *range(10)],
        ["b/c.png", "test", "", "", "", "", "", 1, *[""] * 10],
    ]
    write_csv(tmp_path / "set.csv", rows)
    _, description, stills = read("image_table", path=str(tmp_path / "set.csv"), present_from=2.0)
    assert description.action_units == (1, 12)
    assert description.root == str(tmp_path)
    assert stills[0].action_units == (0, 3)
    assert (stills[0].label, stills[0].valence, stills[0].arousal) == (6, 0.5, -1)
    assert stills[0].landmarks == tuple(range(10))
    assert (stills[1].label, stills[1].landmarks, stills[1].split) == (-1, None, TEST)
    assert math.isnan(stills[1].valence)
    assert math.isnan(stills[1].action_units[1])


def test_image_table_divides_people_without_a_split(tmp_path) -> None:
    rows = [[f"{k}.png", f"p{k % 7}"] for k in range(21)]
    write_csv(tmp_path / "set.csv", [["image", "subject"], *rows])
    _, _, stills = read("image_table", path=str(tmp_path / "set.csv"), folds={"count": 7})
    exclusive(stills, Folds(7))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["image"], ["a"]], "needs a column split"),
        ([["image", "split"]], "holds no image"),
        ([["image", "split", "mood"], ["a", "train", "x"]], "unknown column 'mood'"),
        ([["image", "split", "x1"], ["a", "train", "1"]], "the ten columns"),
        ([["image", "split"], ["a", "dev"]], "line 2: split is 'dev'"),
        ([["image", "split"], ["a", "val"], ["a", "val"]], "line 3: image 'a' comes twice"),
        ([["image", "split", "expression"], ["a", "val", "hapiness"]], "mean 'happiness'"),
        ([["image", "split", "valence"], ["a", "val", "1.5"]], "line 2: valence is 1.5, beyond"),
        ([["image", "split", "AU1"], ["a", "val", "x"]], "line 2: au1 is 'x', not a number"),
        ([["image", "subject"], ["a", "p"]], "5 folds of 1 people"),
    ],
)
def test_image_table_defects(tmp_path, rows, message) -> None:
    write_csv(tmp_path / "set.csv", rows)
    with pytest.raises(StillSetError, match=message):
        read("image_table", path=str(tmp_path / "set.csv"))

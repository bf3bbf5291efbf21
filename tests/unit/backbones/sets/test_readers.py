"""Readers of still-image sets: every row as published, every defect by file and line."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.backbones.sets.base import Folds, HeldOut
from circumplex.backbones.sets.ferplus import VOTES, vote_distribution
from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import EXPRESSIONS, StillSplit, decode_image
from circumplex.config.still_sets import Coding, Target
from circumplex.errors import StillSetError
from synthetic_stills import (
    BP4D_UNITS,
    DISFA_UNITS,
    LANDMARKS,
    PEOPLE,
    make_affectnet,
    make_bp4d,
    make_disfa,
    make_ferplus,
    make_rafdb,
    pixels,
    write_csv,
    write_image,
)

TRAIN, VAL, TEST = StillSplit


def votes(**counts: int) -> list[int]:
    return [counts.get(name, 0) for name in VOTES]


@pytest.mark.parametrize(
    ("counts", "majority", "soft"),
    [
        # One vote each is an outlier, and counts in no total.
        (votes(neutral=6, fear=1, anger=1, unknown=1, NF=1), {"neutral": 1}, {"neutral": 1}),
        (votes(neutral=5, sadness=5), None, {"neutral": 0.5, "sadness": 0.5}),
        (votes(happiness=6, surprise=4), {"happiness": 1}, {"happiness": 0.6, "surprise": 0.4}),
        # Three quarters are reached with the first.
        (votes(happiness=8, surprise=2), {"happiness": 1}, {"happiness": 1}),
        (votes(neutral=4, anger=4, unknown=2), None, {"neutral": 0.5, "anger": 0.5}),
        # "Unknown" comes before three quarters are reached, and is not taken.
        (votes(neutral=6, unknown=4), {"neutral": 1}, {"neutral": 1}),
        (votes(neutral=4, unknown=6), None, None),
        (votes(NF=10), None, None),
        (votes(neutral=3, sadness=3, anger=2, fear=2), None, None),  # four choices
        (votes(neutral=1, sadness=1, anger=1), None, None),
        (votes(), None, None),
    ],
)
def test_votes_by_hand(counts, majority, soft) -> None:
    for target, expected in (
        (Target.MAJORITY, majority),
        (Target.PROBABILITY, soft),
        (Target.CROSS_ENTROPY, soft),
    ):
        found = vote_distribution(counts, target)
        if expected is None:
            assert found is None
        else:
            assert found == pytest.approx([expected.get(name, 0) for name in EXPRESSIONS])


@given(st.lists(st.integers(0, 10), min_size=10, max_size=10), st.sampled_from(Target))
def test_a_distribution_is_one(counts, target) -> None:
    found = vote_distribution(counts, target)
    if found is not None:
        assert sum(found) == pytest.approx(1)
        assert max(counts) == counts[int(np.argmax(found))]
        assert all(share == 0 or count > 1 for share, count in zip(found, counts, strict=False))


def read(kind: str, **options):
    reader = make_reader(kind, options)
    return reader, reader.describe("made"), list(reader.stills())


@pytest.mark.parametrize("as_folders", [False, True], ids=["csv", "folders"])
@pytest.mark.parametrize("target", Target)
def test_ferplus(tmp_path, as_folders, target) -> None:
    path = make_ferplus(tmp_path, as_folders)
    reader, description, stills = read("ferplus", path=str(path), target=target.value)
    assert description.classes == EXPRESSIONS
    assert description.target is target
    rows = [0, 4, 6] if target is Target.MAJORITY else [0, 2, 4, 6]
    for still, row in zip(stills, rows, strict=True):
        encoded = still.inline or (tmp_path / still.image).read_bytes()
        np.testing.assert_array_equal(decode_image(encoded, "")[:, :, 0], pixels(row))
        assert (still.inline is None) == as_folders
    assert [still.label for still in stills if still.split is not TRAIN] == [1, 7]
    assert [still.split for still in stills][-2:] == [VAL, TEST]
    assert stills[-2].votes == (0, 1, 0, 0, 0, 0, 0, 0), "validation is by majority"
    if target is not Target.MAJORITY:
        assert stills[1].votes == (0.5, 0, 0, 0.5, 0, 0, 0, 0)
    assert reader.left_out.total() == 7 - len(rows)


def test_ferplus_folders_with_other_names_are_refused(tmp_path) -> None:
    # As copies are named that number the files by row: the names exist, but mean other rows.
    path = make_ferplus(tmp_path, as_folders=True)
    (path / "FER2013Train/fer0000002.png").rename(path / "FER2013Train/fer0000003.png")
    with pytest.raises(StillSetError, match=r"FER2013Train: 1 of 3 images .* fer0000003\.png"):
        read("ferplus", path=str(path))


def test_ferplus_names_of_two_rows_are_left_out(tmp_path) -> None:
    path = make_ferplus(tmp_path, as_folders=True)
    labels = path / "fer2013new.csv"
    lines = labels.read_text().splitlines()
    lines += [lines[1], lines[-1].replace(",9,1,0", ",0,0,10")]
    labels.write_text("\n".join(lines) + "\n")
    reader, _, stills = read("ferplus", path=str(path))
    assert [still.label for still in stills] == [0, 1], "of equal votes, once"
    assert reader.left_out["one name for two rows with other votes"] == 1


def edit(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("\n".join(lines) + "\n")


def cut(path: Path) -> None:
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: (p / "fer2013new.csv").unlink(), r"fer2013new\.csv is missing"),
        (lambda p: (p / "fer2013.csv").unlink(), r"FER2013Train is missing"),
        (lambda p: (p / "fer2013new.csv").write_text(""), r"fer2013new\.csv: is empty"),
        (lambda p: cut(p / "fer2013.csv"), r"fer2013\.csv: has fewer rows"),
        (lambda p: cut(p / "fer2013new.csv"), r"fer2013new\.csv: has fewer rows"),
        (
            lambda p: edit(p / "fer2013new.csv", 1, "neutral", "calm"),
            r"fer2013new\.csv: no column 'neutral'",
        ),
        (
            lambda p: edit(p / "fer2013.csv", 4, "Training", "PublicTest"),
            r"fer2013\.csv, line 4: usage is 'PublicTest', but 'Training' on line 4",
        ),
        (
            lambda p: edit(p / "fer2013new.csv", 2, ",9,", ",nine,"),
            r"fer2013new\.csv, line 2: neutral is 'nine', not a whole number",
        ),
        (lambda p: edit(p / "fer2013new.csv", 2, ",9,", ",-9,"), r"line 2: .*below 0"),
        (lambda p: edit(p / "fer2013.csv", 2, " ", " 256 "), r"fer2013\.csv, line 2: pixels"),
        (lambda p: edit(p / "fer2013.csv", 2, " ", "  x "), r"fer2013\.csv, line 2: pixels"),
    ],
)
def test_ferplus_defects(tmp_path, harm: Callable[[Path], object], message) -> None:
    path = make_ferplus(tmp_path)
    harm(path)
    with pytest.raises(StillSetError, match=message):
        read("ferplus", path=str(path))


@pytest.mark.parametrize("below", ["", "basic"])
def test_rafdb(tmp_path, below) -> None:
    path = make_rafdb(tmp_path) / below
    _, description, stills = read("rafdb", path=str(path))
    assert len(description.classes) == 7
    assert [EXPRESSIONS[still.label] for still in stills] == [
        *("sadness", "neutral", "surprise", "happiness", "fear"),
    ]
    assert [still.split for still in stills] == [TRAIN] * 3 + [TEST] * 2
    assert all((Path(description.root) / still.image).is_file() for still in stills)


@pytest.mark.parametrize(
    "line", ["train_00001.jpg 8", "train_00001.jpg", "x_1.jpg 1", "train_1.jpg 1 2"]
)
def test_rafdb_defects(tmp_path, line) -> None:
    path = make_rafdb(tmp_path)
    label = path / "basic/EmoLabel/list_patition_label.txt"
    label.write_text(label.read_text() + line + "\n")
    with pytest.raises(StillSetError, match=r"list_patition_label\.txt, line 6: "):
        read("rafdb", path=str(path))


def test_rafdb_names_come_once(tmp_path) -> None:
    path = make_rafdb(tmp_path)
    label = path / "basic/EmoLabel/list_patition_label.txt"
    label.write_text(label.read_text() + "test_0002.jpg 3\n")
    with pytest.raises(StillSetError, match=r"line 6: .*twice"):
        read("rafdb", path=str(path))


@pytest.mark.parametrize("in_folders", [False, True], ids=["csv", "npy"])
@pytest.mark.parametrize("classes", [7, 8])
def test_affectnet(tmp_path, in_folders, classes) -> None:
    path = make_affectnet(tmp_path, in_folders)
    reader, description, stills = read("affectnet", path=str(path), classes=classes)
    expected = ["neutral", "happiness", "contempt", "sadness", "surprise", "anger"]
    if classes == 7:
        expected.remove("contempt")
    assert [EXPRESSIONS[still.label] for still in stills] == expected
    assert [still.split for still in stills] == [TRAIN] * (classes - 4) + [VAL] * 2
    assert (stills[1].valence, stills[1].arousal) == (0.8, 0.1)
    assert all((Path(description.root) / still.image).is_file() for still in stills)
    assert dict(reader.left_out) == {
        "uncertain": 1,
        "no face": 1,
        **({"contempt": 1} if classes == 7 else {}),
    }
    points = LANDMARKS if in_folders else LANDMARKS.round(2)
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    five = np.concatenate([*eyes, points[30], points[48], points[54]])
    assert stills[0].landmarks == pytest.approx(five)


def test_affectnet_held_out_makes_the_official_validation_set_the_test_set(tmp_path) -> None:
    path = make_affectnet(tmp_path)
    _, _, stills = read("affectnet", path=str(path), held_out={"share": 0.5})
    assert [still.split for still in stills[-2:]] == [TEST, TEST]
    assert {still.split for still in stills[:-2]} <= {TRAIN, VAL}


def test_affectnet_without_header_and_without_landmarks(tmp_path) -> None:
    path = make_affectnet(tmp_path)
    lines = (path / "validation.csv").read_text().splitlines()[1:]
    start, _, rest = lines[0].partition("50,50,")
    lines[0] = f"{start}50,50,NULL,{rest.partition(',')[2]}"
    (path / "validation.csv").write_text("\n".join(lines) + "\n")
    reader, _, stills = read("affectnet", path=str(path))
    assert [EXPRESSIONS[still.label] for still in stills[-1:]] == ["anger"]
    assert reader.left_out["without 68 landmarks"] == 1


def test_affectnet_defects(tmp_path) -> None:
    path = make_affectnet(tmp_path / "csv")
    edit(path / "training.csv", 3, ",1,0.8", ",11,0.8")
    with pytest.raises(StillSetError, match=r"training\.csv, line 3: expression '11'"):
        read("affectnet", path=str(path))
    edit(path / "training.csv", 3, ",11,0.8", ",1,NaN")
    with pytest.raises(StillSetError, match=r"training\.csv, line 3: valence is 'NaN'"):
        read("affectnet", path=str(path))
    with pytest.raises(StillSetError, match=r"training\.csv .*is missing"):
        read("affectnet", path=str(tmp_path))
    path = make_affectnet(tmp_path / "npy", in_folders=True)
    value = path / "train_set/annotations/1_val.npy"
    np.save(value, np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(StillSetError, match=r"1_val\.npy: cannot be read: .*allow_pickle"):
        read("affectnet", path=str(path))
    np.save(value, np.zeros(2))
    with pytest.raises(StillSetError, match=r"1_val\.npy: holds .*, not one number"):
        read("affectnet", path=str(path))
    value.unlink()
    with pytest.raises(StillSetError, match=r"1_val\.npy: cannot be read"):
        read("affectnet", path=str(path))


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


@given(st.integers(2, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 3))
def test_folds_hold_each_person_out_once(count, val, test, seed) -> None:
    names = [f"p{k}" for k in range(13)]
    folds = Folds(count, val, test, seed)
    if max(val, test) > count or (val == test and val):
        with pytest.raises(StillSetError):
            folds.split(names)
        return
    splits = folds.split(reversed(names))
    assert splits == folds.split(names)
    assert list(splits.values()).count(VAL) in ((0,) if not val else (13 // count, 13 // count + 1))
    if val:
        together = [Folds(count, k, 0, seed).split(names) for k in range(1, count + 1)]
        held = [n for n in names for division in together if division[n] is VAL]
        assert held == names


def test_a_share_held_out_follows_from_names() -> None:
    names = [f"{k}.jpg" for k in range(4000)]
    chosen = [n for n in names if HeldOut(0.1, 3).split(n) is VAL]
    assert 340 < len(chosen) < 460
    assert {n for n in names if HeldOut(0.2, 3).split(n) is VAL} > set(chosen)
    assert {n for n in names if HeldOut(0.1, 4).split(n) is VAL} != set(chosen)
    assert {HeldOut().split(n) for n in names} == {TRAIN}

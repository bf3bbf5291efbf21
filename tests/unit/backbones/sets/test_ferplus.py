from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.backbones.sets.ferplus import VOTES, vote_distribution
from circumplex.backbones.sets.registry import make_reader
from circumplex.backbones.stills import EXPRESSIONS, StillSplit, decode_image
from circumplex.config.still_sets import Target
from circumplex.errors import StillSetError
from synthetic_stills import (
    make_ferplus,
    pixels,
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

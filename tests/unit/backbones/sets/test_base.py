import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.backbones.sets.base import Folds, HeldOut
from circumplex.backbones.stills import StillSplit
from circumplex.errors import StillSetError

TRAIN, VAL, TEST = StillSplit


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

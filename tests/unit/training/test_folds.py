import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.errors import RequestError
from circumplex.training.folds import count_labels, make_folds, whole_groups


def corpus(count, seed=0):
    """Samples of very unequal length; every third is the second subject of the one before."""
    draw = np.random.default_rng(seed)
    groups, frames, labels = {}, {}, {}
    for i in range(count):
        name = f"s{i}"
        groups[name] = f"g{i - 1}" if i % 3 == 2 else f"g{i}"
        frames[name] = int(draw.lognormal(8, 0.8)) + 1
        mean = draw.uniform(-0.6, 0.6, size=2)
        labels[name] = count_labels(mean + draw.normal(0, 0.2, size=(frames[name], 2)))
    return groups, frames, labels


@settings(deadline=None, max_examples=40)
@given(st.integers(8, 40), st.integers(2, 5), st.integers(0, 5))
def test_groups_are_never_split_and_no_fold_is_empty(count, k, seed):
    groups, frames, labels = corpus(count, seed)
    folds = make_folds(groups, frames, labels, k, seed)
    assert folds.keys() == groups.keys()
    assert set(folds.values()) == set(range(k))
    for group in set(groups.values()):
        assert len({folds[s] for s in groups if groups[s] == group}) == 1


@settings(deadline=None, max_examples=30)
@given(st.integers(8, 30), st.integers(1, 8), st.integers(2, 5))
def test_appended_samples_move_no_other(count, added, k):
    groups, frames, labels = corpus(count + added)
    first = list(groups)[:count]
    before = make_folds({s: groups[s] for s in first}, frames, labels, k, 0)
    after = make_folds(groups, frames, labels, k, 0)
    assert {s: after[s] for s in first} == before


def test_inserted_samples_move_no_other_when_former_folds_are_given():
    groups, frames, labels = corpus(30)
    rest = [s for i, s in enumerate(groups) if i not in (0, 13)]
    before = make_folds({s: groups[s] for s in rest}, frames, labels, 5, 0)
    after = make_folds(groups, frames, labels, 5, 0, previous=before)
    assert {s: after[s] for s in rest} == before
    gone = {s: groups[s] for s in rest[3:]}
    assert make_folds(gone, frames, labels, 5, 0, previous=before) == {s: before[s] for s in gone}


@settings(deadline=None, max_examples=40)
@given(st.integers(6, 30), st.data(), st.integers(2, 4), st.integers(0, 3))
def test_a_sample_added_or_taken_away_anywhere_moves_no_other(count, data, k, seed):
    groups, frames, labels = corpus(count, seed)
    name = data.draw(st.sampled_from(list(groups)))
    rest = {s: g for s, g in groups.items() if s != name}
    if len(set(rest.values())) < k:
        return
    before = make_folds(rest, frames, labels, k, seed)
    added = make_folds(groups, frames, labels, k, seed, previous=whole_groups(before, groups))
    assert {s: added[s] for s in rest} == before
    of_group = {before[s] for s in rest if rest[s] == groups[name]}
    assert not of_group or {added[name]} == of_group, "it joins its group"
    gone = make_folds(rest, frames, labels, k, seed, previous=whole_groups(added, rest))
    assert gone == before


def test_groups_that_were_joined_are_assigned_anew():
    former = {"a": 0, "b": 1, "c": 1, "gone": 0}
    groups = {"a": "one", "b": "one", "c": "two", "d": "two"}
    assert whole_groups(former, groups) == {"c": 1}
    assert whole_groups({}, groups) == {}


def test_balance_in_frames_and_labels():
    groups, frames, labels = corpus(350)
    blind = {name: np.zeros(0) for name in labels}
    total, bins = sum(frames.values()), sum(labels.values())
    common = bins > 0.05 * total

    def deviations(folds):
        members = [[s for s in folds if folds[s] == fold] for fold in range(5)]
        of_frames = [sum(frames[s] for s in m) / total - 1 / 5 for m in members]
        of_bins = [(sum(labels[s] for s in m) / bins)[common] - 1 / 5 for m in members]
        return np.abs(of_frames).max(), np.abs(of_bins).max(axis=1).mean()

    seen_frames, seen_bins = deviations(make_folds(groups, frames, labels, 5, 0))
    blind_frames, blind_bins = deviations(make_folds(groups, frames, blind, 5, 0))
    assert seen_frames < 0.02
    assert blind_frames < 0.02
    assert seen_bins < 0.05
    assert seen_bins < 0.6 * blind_bins


def test_another_seed_gives_other_folds_and_one_seed_the_same():
    groups, frames, labels = corpus(40)
    runs = [make_folds(groups, frames, labels, 5, seed) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_histogram_leaves_out_frames_without_annotation():
    values = np.array([[-1.0, 1.0], [0.0, 0.0], [np.nan, np.nan], [0.3, np.nan]])
    np.testing.assert_array_equal(count_labels(values), [1, 0, 1, 1, 0, 0, 0, 1, 0, 1])


def test_refusals():
    groups, frames, labels = corpus(6)
    with pytest.raises(RequestError, match="5 folds but only 4 groups"):
        make_folds(groups, frames, labels, 5, 0)
    with pytest.raises(RequestError, match="at least 2"):
        make_folds(groups, frames, labels, 1, 0)
    with pytest.raises(RequestError, match="split group"):
        make_folds(groups, frames, labels, 2, 0, previous={"s1": 0, "s2": 1})
    with pytest.raises(RequestError, match="fold 7"):
        make_folds(groups, frames, labels, 2, 0, previous={"s1": 7})

"""Draws of an epoch: whole, balanced, split over GPUs, a function of seed and epoch."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.backbones.sampling import BalancedBatches, Draw, OrderedBatches, apportion

CLASSES = [np.repeat([0, 1, 5], [40, 7, 1]), np.repeat([2, -1], [10, 6])]


def _draws(batches: BalancedBatches) -> list[Draw]:
    return list(itertools.chain.from_iterable(batches))


@given(
    st.integers(0, 1000),
    st.lists(st.floats(0, 1e6), min_size=1, max_size=9).filter(lambda weights: sum(weights) > 0),
)
def test_shares_add_up_and_are_off_by_less_than_one(total: int, weights: list[float]) -> None:
    shares = apportion(total, np.array(weights))
    assert shares.sum() == total
    assert (np.abs(shares - total * np.array(weights) / sum(weights)) < 1 + 1e-6).all()


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [np.nan]])
def test_shares_without_meaning(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        apportion(3, np.array(weights))


def test_by_default_each_image_comes_once() -> None:
    batches = BalancedBatches(CLASSES, 8, seed=1)
    drawn = [(draw.set, draw.row) for draw in _draws(batches)]
    assert len(batches) == 8
    assert sorted(drawn) == [(0, row) for row in range(48)] + [(1, row) for row in range(16)]
    assert drawn != sorted(drawn)


def test_batches_are_whole() -> None:
    batches = BalancedBatches(CLASSES, 50, seed=1)
    assert [len(batch) for batch in batches] == [50, 50]


@pytest.mark.parametrize(("balance", "expected"), [(0.0, [40, 7, 1]), (1.0, [16, 16, 16])])
def test_classes_are_balanced_exactly(balance: float, expected: list[int]) -> None:
    draws = _draws(BalancedBatches(CLASSES[:1], 16, seed=3, balance=balance))
    counts = Counter(int(CLASSES[0][draw.row]) for draw in draws)
    assert [counts[0], counts[1], counts[5]] == expected
    of_large = Counter(draw.row for draw in draws if draw.row < 40)
    assert set(of_large.values()) == {1}
    of_small = Counter(draw.row for draw in draws if 40 <= draw.row < 47)
    assert max(of_small.values()) - min(of_small.values()) <= 1


def test_sets_are_weighted() -> None:
    draws = _draws(BalancedBatches(CLASSES, 10, seed=0, epoch_size=100, set_weights=[1, 3]))
    assert Counter(draw.set for draw in draws) == {0: 25, 1: 75}


def test_an_epoch_follows_from_its_number() -> None:
    once, again = (BalancedBatches(CLASSES, 8, seed=1) for _ in range(2))
    for epoch in (0, 1, 2):
        once.set_epoch(epoch)
        last = _draws(once)
    again.set_epoch(2)
    assert _draws(again) == last == _draws(again)
    again.set_epoch(1)
    assert _draws(again) != last
    assert _draws(BalancedBatches(CLASSES, 8, seed=2)) != _draws(BalancedBatches(CLASSES, 8, 1))


def test_gpus_share_what_one_would_draw() -> None:
    alone = list(BalancedBatches(CLASSES, 16, seed=1))
    halves = [BalancedBatches(CLASSES, 8, seed=1, rank=rank, replicas=2) for rank in (0, 1)]
    together = [first + second for first, second in zip(*halves, strict=True)]
    assert together == alone
    assert [draw.position for draw in itertools.chain(*alone)] == list(range(64))


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="without images"):
        BalancedBatches([CLASSES[0], np.array([], np.int8)], 8, seed=0)


@pytest.mark.parametrize("replicas", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_in_order_each_image_counts_once(count: int, replicas: int) -> None:
    batches = [OrderedBatches(count, 4, 2, rank=r, replicas=replicas) for r in range(replicas)]
    drawn = [batch for of_rank in batches for batch in of_rank]
    assert sum(len(of_rank) for of_rank in batches) == len(drawn)
    assert all(len(batch) == 4 for batch in drawn)
    assert sorted(d.row for batch in drawn for d in batch if d.valid) == list(range(count))
    assert all(draw.set == 2 and draw.row < count for batch in drawn for draw in batch)

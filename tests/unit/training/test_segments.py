import numpy as np
import pytest

from circumplex.errors import RequestError
from circumplex.training.segments import (
    OverlapAverage,
    Segment,
    cut_segments,
    segment_bounds,
    shuffled_batches,
    steps_in_step,
    steps_of_segments,
)


def by_the_letter(n, length, p):
    """The design's words, 1-based: floor(n/p) + 1 segments, an empty last one dropped."""
    covered = []
    for i in range(1, n // p + 2):
        frames = [j for j in range((i - 1) * p + 1, (i - 1) * p + length + 1) if j <= n]
        if frames:
            covered.append((frames[0] - 1, frames[-1]))
    return covered


@pytest.mark.parametrize("length", range(1, 11))
def test_counts_for_all_n_l_p(length):
    for p in range(1, length + 1):
        for n in range(1, 41):
            bounds = segment_bounds(n, length, p)
            assert bounds == by_the_letter(n, length, p)
            assert len(bounds) == n // p + (n % p > 0)
            assert {j for a, b in bounds for j in range(a, b)} == set(range(n))


def test_published_sizes():
    assert segment_bounds(60, 100, 100) == [(0, 60)]
    assert segment_bounds(100, 100, 100) == [(0, 100)]
    assert segment_bounds(101, 100, 100) == [(0, 100), (100, 101)]
    assert segment_bounds(300, 250, 100) == [(0, 250), (100, 300), (200, 300)]
    assert segment_bounds(0, 100, 100) == []


@pytest.mark.parametrize("stride", [0, -1, 6])
def test_a_stride_that_leaves_out_frames_is_refused(stride):
    with pytest.raises(RequestError, match="stride"):
        segment_bounds(10, 5, stride)


def test_overlap_average():
    values = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    average = OverlapAverage(9, 2)
    for i, start in enumerate((0, 2, 4)):
        average.add(start, values[i])
    for j in range(9):
        covering = [values[i, j - s] for i, s in enumerate((0, 2, 4)) if s <= j < s + 5]
        np.testing.assert_allclose(average.mean()[j], np.mean(covering, axis=0), rtol=1e-6)


def test_overlap_average_refuses_a_gap():
    average = OverlapAverage(5)
    average.add(0, np.ones(2, np.float32))
    average.add(3, np.ones(2, np.float32))
    with pytest.raises(ValueError, match="frame 2 was never"):
        average.mean()


def test_in_step_walks_every_video_in_order_and_drops_those_that_end():
    frames = {"a": 5, "b": 12, "c": 8}
    steps = list(steps_in_step([["a", "b", "c"]], frames, 5))
    assert [step.carry for step in steps] == [False, True, True]
    assert [[s.sample for s in step.segments] for step in steps] == [
        ["b", "c", "a"],
        ["b", "c"],
        ["b"],
    ]
    assert steps[1].segments == (Segment("b", 5, 10), Segment("c", 5, 8))


def test_in_step_state_starts_anew_with_each_batch():
    frames = {"a": 10, "b": 10}
    carries = [step.carry for step in steps_in_step([["a"], ["b"]], frames, 5)]
    assert carries == [False, True, False, True]


def test_batches_partition_the_samples_and_bucketing_evens_lengths():
    frames = {f"s{i}": 10 + 7 * i for i in range(37)}
    waste = {}
    for buckets in (1, 8):
        draw = np.random.default_rng(3)
        batches = list(shuffled_batches(list(frames), frames, 4, draw, buckets))
        assert sorted(s for batch in batches for s in batch) == sorted(frames)
        assert sorted(map(len, batches)) == [1] + [4] * 9
        waste[buckets] = sum(max(frames[s] for s in b) for b in batches)
    assert waste[8] < waste[1]


def test_batches_differ_between_generators_and_repeat_for_one():
    frames = dict.fromkeys("abcdefghij", 5)
    runs = [
        list(shuffled_batches(list(frames), frames, 3, np.random.default_rng(seed), 2))
        for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_steps_of_segments():
    segments = list(cut_segments(["a", "b"], {"a": 7, "b": 3}, 4, 2))
    assert len(segments) == 4 + 2
    steps = list(steps_of_segments(segments, 4))
    assert [len(step.segments) for step in steps] == [4, 2]
    assert [s for step in steps for s in step.segments] == segments

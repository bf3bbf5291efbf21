from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.config.modalities import Framing
from circumplex.features.framing import frame_edges, nearest_index, range_means, row_ranges

RATES = [Fraction(15), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60)]


def times_of(rate, frames):
    """Presentation times in seconds; for no rate, intervals drawn anew for each frame."""
    if rate is None:
        steps = np.random.default_rng(0).uniform(0.01, 0.2, size=frames - 1)
        return np.concatenate([[0.0], np.cumsum(steps)])
    return np.array([float(k / rate) for k in range(frames)])


def centres_of(step, count, offset=0.5):
    return (np.arange(count) + offset) * step


def slow_mean(time_s, centres, values):
    """Frame by frame, with no help from sorting."""
    last = np.median(np.diff(time_s)) if len(time_s) > 1 else 0.04
    ends = [*time_s[1:], time_s[-1] + last]
    rows = []
    for start, end in zip(time_s, ends, strict=True):
        inside = [k for k, c in enumerate(centres) if start <= c < end]
        if not inside:
            distances = [abs(c - (start + end) / 2) for c in centres]
            inside = [distances.index(min(distances))]
        rows.append(np.mean([values[k] for k in inside], axis=0, dtype=np.float64))
    return np.array(rows)


@pytest.mark.parametrize("rate", [*RATES, None], ids=str)
@pytest.mark.parametrize("step", [0.01, 0.02])
def test_a_click_lands_on_the_frame_that_shows_then(rate, step):
    time_s = times_of(rate, 150)
    centres = centres_of(step, int(time_s[-1] / step) + 20)
    first, last = row_ranges(frame_edges(time_s), centres, Framing.MEAN)
    for click in range(7, len(centres) - 40, 13):
        values = np.zeros((len(centres), 1), dtype=np.float32)
        values[click] = 1
        frames = np.flatnonzero(range_means(values, first, last)[:, 0])
        shown = np.flatnonzero(time_s <= centres[click])[-1]
        # Of a frame shorter than a row, the row is the nearest of neighbours too.
        assert shown in frames or np.diff(time_s)[shown] < step
        away = np.abs(time_s[frames] - centres[click])
        assert (away <= max(step, np.diff(time_s)[frames].max())).all()


@pytest.mark.parametrize("rate", [*RATES, None], ids=str)
@pytest.mark.parametrize(
    ("step", "count"), [(0.01, 400), (0.02, 199), (0.96, 4), (0.01, 1), (0.01, 60)], ids=str
)
def test_means_against_the_slow_loop(rate, step, count):
    time_s = times_of(rate, 90)
    centres = centres_of(step, count)
    values = np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32)
    first, last = row_ranges(frame_edges(time_s), centres, Framing.MEAN)
    result = range_means(values, first, last)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, slow_mean(time_s, centres, values), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("framing", Framing)
def test_sound_shorter_than_the_video_holds_its_last_row(framing):
    time_s = times_of(Fraction(25), 100)
    first, last = row_ranges(frame_edges(time_s), centres_of(0.01, 50), framing)
    assert (first[20:] == 49).all()
    assert (last[20:] == 50).all()


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("frames", [1, 2, 50])
def test_one_row_serves_every_frame(framing, frames):
    first, last = row_ranges(frame_edges(times_of(RATES[0], frames)), np.array([3.0]), framing)
    assert first.tolist() == [0] * frames
    assert last.tolist() == [1] * frames


def test_edges():
    np.testing.assert_array_equal(
        frame_edges(np.array([0.0, 1.0, 1.5, 2.5])), [0, 1, 1.5, 2.5, 3.5]
    )
    np.testing.assert_array_equal(frame_edges(np.array([2.0])), [2.0, 2.04])
    assert len(frame_edges(np.array([]))) == 0
    first, last = row_ranges(frame_edges(np.array([])), np.array([1.0]), Framing.MEAN)
    assert len(first) == len(last) == 0


def test_a_centre_on_an_edge_belongs_to_the_frame_that_begins_there():
    edges, centres = np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.1, 0.5, 0.6, 1.0])
    first, last = row_ranges(edges, centres, Framing.MEAN)
    assert list(zip(first, last, strict=True)) == [(0, 2), (2, 4)]


def test_no_row_in_the_frame_and_a_tie_take_the_earlier():
    edges = np.array([1.0, 3.0])
    for framing in Framing:
        first, last = row_ranges(edges, np.array([0.5, 3.5]), framing)
        assert (first[0], last[0]) == (0, 1)
        first, last = row_ranges(edges, np.array([0.25, 3.5]), framing)
        assert (first[0], last[0]) == (1, 2)


DYADIC = st.integers(-64, 64).map(lambda k: k / 8)


@given(st.lists(DYADIC, min_size=1, max_size=9, unique=True).map(sorted), st.lists(DYADIC))
def test_nearest_with_exact_ties(values, queries):
    found = nearest_index(np.array(values), np.array(queries, dtype=float))
    distances = [[abs(v - q) for v in values] for q in queries]
    assert found.tolist() == [row.index(min(row)) for row in distances]


def test_a_frames_mean_does_not_depend_on_its_neighbours():
    values = np.random.default_rng(2).normal(size=(40, 5)).astype(np.float32)
    values[::7] *= 1e6
    first, last = np.arange(0, 36), np.arange(4, 40)
    last[5], last[6] = 6, 39
    together = range_means(values, first, last)
    alone = [range_means(values, first[k : k + 1], last[k : k + 1])[0] for k in range(36)]
    np.testing.assert_array_equal(together, alone)
    assert range_means(values, first[:0], last[:0]).shape == (0, 5)


def test_small_values_beside_large_ones_are_not_lost():
    values = np.array([[2.0**24], [1], [1], [1], [1]], dtype=np.float32)
    mean = range_means(values, np.array([0]), np.array([5]))
    assert mean[0, 0] == np.float32((2**24 + 4) / 5)

"""Resampling by time, against numpy.interp; ranges; what is left unannotated."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.annotations.traces import Trace, check_times, resample, rescale
from circumplex.errors import SampleError
from circumplex.targets import Target

FRAMES = np.arange(100) / 25
FILE = Path("a.csv")


def trace(time_s, values, **changes):
    times, numbers = np.array(time_s, dtype=float), np.array(values, dtype=float)
    return Trace(Target.VALENCE, "", times, numbers, **changes)


def resampled(of, wanted=FRAMES, longest_gap_s=2.0):
    return resample(of, of.values, wanted, longest_gap_s)


@pytest.mark.parametrize("rate", [1, 4, 10, 25, 29.97, 100])
def test_regular_rates_are_interpolated_as_numpy_does(rate):
    times = np.arange(0, 4.2, 1 / rate)
    values = np.sin(times)
    expected = np.interp(FRAMES, times, values, left=np.nan, right=np.nan)
    np.testing.assert_allclose(resampled(trace(times, values)), expected, atol=1e-12)


@given(
    st.lists(st.floats(0.001, 1.5), min_size=2, max_size=30),
    st.floats(-1, 3),
    st.integers(0, 2**32 - 1),
)
def test_irregular_times_are_interpolated_as_numpy_does(steps, first, seed):
    times = first + np.cumsum(steps)
    values = np.random.default_rng(seed).uniform(-1, 1, len(times))
    found = resampled(trace(times, values))
    expected = np.interp(FRAMES, times, values, left=np.nan, right=np.nan)
    at_edge = np.minimum(np.abs(FRAMES - times[0]), np.abs(FRAMES - times[-1])) < 1e-5
    np.testing.assert_allclose(found[~at_edge], expected[~at_edge], atol=1e-4)


def test_there_is_nothing_outside():
    found = resampled(trace([1, 2], [0.5, 0.5]))
    inside = (FRAMES >= 1) & (FRAMES <= 2)
    np.testing.assert_array_equal(np.isnan(found), ~inside)


def test_a_gap_longer_than_stated_stays_unannotated_but_for_its_ends():
    times, values = [0, 1, 3, 3.5], [0, 1, 1, 0]
    closed = resampled(trace(times, values), longest_gap_s=2.0)
    np.testing.assert_allclose(closed, np.interp(FRAMES, times, values, right=np.nan))
    found = resampled(trace(times, values), longest_gap_s=1.99)
    inside = (FRAMES > 1 + 1e-9) & (FRAMES < 3 - 1e-9)
    assert np.isnan(found[inside]).all()
    outside = ~inside & (FRAMES <= 3.5)
    np.testing.assert_allclose(found[outside], closed[outside])
    assert found[25] == 1
    assert found[75] == 1


def test_nothing_is_interpolated_across_a_row_without_value():
    found = resampled(trace([0, 1, 1.5, 2], [0, np.nan, 1, 1]))
    assert found[0] == 0
    assert np.isnan(found[1:37]).all()  # up to 1.5 s, between frames 37 and 38
    np.testing.assert_array_equal(found[38:51], 1)


def test_one_row_annotates_the_frame_at_its_time_alone():
    found = resampled(trace([0.4], [0.25]))
    assert np.flatnonzero(~np.isnan(found)).tolist() == [10]
    assert found[10] == 0.25


def test_an_interval_holds_from_its_start_up_to_its_end():
    intervals = trace([0, 1, 3], [0.1, 0.2, np.nan], ends_s=np.array([1.0, 2.0, 4.0]))
    found = resampled(intervals)
    np.testing.assert_array_equal(found[:25], 0.1)
    np.testing.assert_array_equal(found[25:50], 0.2)
    assert np.isnan(found[50:]).all()


def test_ranges_become_minus_one_to_one():
    values = [-100, 0, 50, np.nan, 100]
    found = rescale(FILE, trace(range(5), values, range=(-100, 100)), None)
    np.testing.assert_allclose(found, [-1, 0, 0.5, np.nan, 1])
    found = rescale(FILE, trace(range(3), [1, 5, 9], range=(-100, 100)), (1, 9))
    np.testing.assert_allclose(found, [-1, 0, 1])
    untouched = trace(range(3), [0.1, -0.7, 1])
    np.testing.assert_array_equal(rescale(FILE, untouched, None), untouched.values)


@pytest.mark.parametrize("value", [1.01, -3, np.inf, -np.inf, 1e300])
def test_a_value_outside_the_range_is_refused(value):
    with pytest.raises(SampleError, match=r"a\.csv: valence is .* outside .*labels\.table\.range"):
        rescale(FILE, trace([0, 1], [0, value]), None)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([], "no rows"),
        ([0, np.nan], "line 3: the time is missing"),
        ([0, np.inf], "line 3: the time is missing"),
        ([0, 1, 1], "line 4 repeats the time of line 3"),
        ([0, 2, 1], "line 4 has an earlier time than line 3"),
        ([2, 1, 0], r"line 3 has an earlier time than line 2.*labels\.table\.annotator"),
    ],
)
def test_times_that_do_not_increase_are_refused(times, message):
    with pytest.raises(SampleError, match=message):
        check_times(FILE, np.array(times, dtype=float), range(2, 2 + len(times)))

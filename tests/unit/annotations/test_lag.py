"""The estimated lag, on recordings whose lag is known."""

import numpy as np
import pytest

from circumplex.annotations.lag import Recording, estimate_lag
from circumplex.errors import RequestError
from circumplex.targets import Target
from late_annotators import LAGS, recordings


@pytest.mark.parametrize("lag_s", [0.0, 1.0, 2.4, 4.8])
@pytest.mark.parametrize("target", list(Target))
def test_a_known_lag_is_found(lag_s, target):
    found = estimate_lag(recordings(lag_s), target, LAGS)
    assert found.lag_s == pytest.approx(lag_s, abs=0.2)
    assert found.low_s <= lag_s + 0.2
    assert found.high_s >= lag_s - 0.2
    assert found.high_s - found.low_s <= 0.6
    assert found.correlation.max() > 0.5
    assert not found.at_edge
    assert found.recordings == 12


def test_it_agrees_with_a_plain_cross_correlation():
    made = recordings(2.0, noise=0.1)
    found = estimate_lag(made, Target.VALENCE, LAGS)
    sums = np.zeros(len(LAGS))
    for of in made:
        feature, values = of.features[:, 0], of.annotation[:, 0]
        for place, lag in enumerate(LAGS):
            shifted = np.interp(of.time_s + lag, of.time_s, values, left=np.nan, right=np.nan)
            known = ~np.isnan(shifted)
            sums[place] += np.corrcoef(feature[known], shifted[known])[0, 1]
    assert found.lag_s == pytest.approx(LAGS[int(np.argmax(sums))], abs=0.2)


def test_features_without_a_word_of_the_annotation_give_a_weak_correlation():
    made = recordings(2.0)
    strange = [
        Recording(of.group, of.time_s, other.features, of.annotation)
        for of, other in zip(made, recordings(2.0, seed=9), strict=True)
    ]
    found = estimate_lag(strange, Target.VALENCE, LAGS)
    assert found.correlation.max() < 0.1
    assert found.high_s - found.low_s > 1


def test_a_lag_beyond_those_that_are_tried_is_at_the_edge():
    found = estimate_lag(recordings(2.4), Target.VALENCE, LAGS[:14])
    assert found.at_edge


def test_the_same_recordings_give_the_same():
    first, second = (estimate_lag(recordings(1.0), Target.VALENCE, LAGS) for _ in range(2))
    np.testing.assert_array_equal(first.correlation, second.correlation)
    assert (first.low_s, first.high_s) == (second.low_s, second.high_s)


def test_differences_between_recordings_do_not_count():
    made = recordings(2.4)
    shifted = [
        Recording(of.group, of.time_s, of.features + 50 * k, of.annotation + k)
        for k, of in enumerate(made)
    ]
    assert estimate_lag(shifted, Target.VALENCE, LAGS).lag_s == pytest.approx(2.4, abs=0.2)


def test_two_groups_with_annotation_are_needed():
    made = recordings(1.0, count=2)
    with pytest.raises(RequestError, match="two groups are needed"):
        estimate_lag(made, Target.VALENCE, LAGS)
    with pytest.raises(RequestError, match="0 recordings of 0 groups"):
        estimate_lag(recordings(0.0, count=4, seconds=5), Target.VALENCE, LAGS)

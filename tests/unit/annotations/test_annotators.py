"""The combination and agreement of annotators, against other implementations of the formulas."""

import numpy as np
import pytest

from circumplex.annotations.annotators import (
    combine,
    cronbach_alpha,
    measure_agreement,
    weigh_evaluators,
)
from circumplex.config.annotations import Combination


def traces(count=5, frames=400, seed=0):
    generator = np.random.default_rng(seed)
    truth = np.sin(np.linspace(0, 9, frames))
    noise = generator.normal(size=(count, frames)) * np.linspace(0.1, 1.5, count)[:, None]
    return 0.4 * truth + 0.2 * noise


def grimm_and_kroschel(values):
    """Equations 2 to 5 of the paper, written out: weights by correlation with the plain mean."""
    count, frames = values.shape
    plain = [sum(values[k][n] for k in range(count)) / count for n in range(frames)]
    weights = [float(np.corrcoef(values[k], plain)[0, 1]) for k in range(count)]
    total = sum(weights)
    estimate = [sum(weights[k] * values[k][n] for k in range(count)) / total for n in range(frames)]
    return np.array(weights) / total, np.array(estimate)


def test_the_evaluator_weighted_estimator_is_that_of_the_paper():
    values = traces()
    weights, estimate = grimm_and_kroschel(values)
    found, found_weights = combine(list(values), Combination.EWE)
    np.testing.assert_allclose(found_weights, weights, rtol=1e-10)
    np.testing.assert_allclose(found, estimate, atol=1e-12)
    assert (np.diff(found_weights) < 0).all(), "who is noisier counts less"


def test_the_mean_is_over_those_who_annotated_a_frame():
    values = np.array([[0.0, 0.2, np.nan, np.nan], [1.0, np.nan, 0.5, np.nan]])
    found, weights = combine(list(values), Combination.MEAN)
    np.testing.assert_allclose(found, [0.5, 0.2, 0.5, np.nan])
    np.testing.assert_allclose(weights, [0.5, 0.5])


def test_one_annotator_is_left_as_is():
    values = np.array([0.1, np.nan, -0.3])
    for how in Combination:
        found, _ = combine([values], how)
        np.testing.assert_array_equal(found, values)


def test_an_annotator_against_the_others_and_a_constant_one_count_for_nothing():
    values = traces(4)
    values[2] = -values[0]
    values[3] = 0.5
    weights = weigh_evaluators(values)
    assert weights[2] == weights[3] == 0
    np.testing.assert_allclose(weights.sum(), 1)


def test_where_nobody_correlates_all_count_the_same():
    assert weigh_evaluators(np.zeros((3, 10))).tolist() == [1 / 3] * 3
    assert weigh_evaluators(np.full((2, 0), np.nan)).tolist() == [0.5, 0.5]


def alpha_by_covariances(values):
    """Alpha from the covariance matrix: k c / (v + (k - 1) c)."""
    count = len(values)
    covariance = np.cov(values)
    mean_variance = np.trace(covariance) / count
    mean_covariance = (covariance.sum() - np.trace(covariance)) / (count * (count - 1))
    return count * mean_covariance / (mean_variance + (count - 1) * mean_covariance)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_cronbachs_alpha(count):
    values = traces(count)
    assert cronbach_alpha(values) == pytest.approx(alpha_by_covariances(values), rel=1e-10)


def test_alpha_of_a_published_example():
    """By hand: variances 2/3 and 2/3 of two items, 8/3 of their sum: alpha 2 (1 - 1/2) = 1."""
    assert cronbach_alpha(np.array([[1.0, 2, 3], [2.0, 3, 4]])) == pytest.approx(1)
    assert cronbach_alpha(np.array([[1.0, 2, 3], [3.0, 2, 1]])) is None
    assert cronbach_alpha(np.array([[1.0, 2, 3]])) is None
    assert cronbach_alpha(np.array([[1.0], [2.0]])) is None


def test_agreement_is_over_common_frames():
    values = traces(3)
    values[0, :100] = np.nan
    found = measure_agreement(list(values))
    pairs = [(0, 1, 100), (0, 2, 100), (1, 2, 0)]

    def concordance(a, b):
        return 2 * np.cov(a, b, ddof=0)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)

    expected = np.mean([concordance(values[a, k:], values[b, k:]) for a, b, k in pairs])
    assert found.ccc == pytest.approx(expected, rel=1e-9)
    assert found.alpha == pytest.approx(alpha_by_covariances(values[:, 100:]), rel=1e-9)
    assert found.annotators == 3


def test_annotators_without_a_common_frame_have_no_agreement():
    found = measure_agreement([np.array([0.1, np.nan]), np.array([np.nan, 0.1])])
    assert (found.ccc, found.alpha) == (None, None)

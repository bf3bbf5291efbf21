import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.ccc import CccAccumulator, ccc


def exact_ccc(x, y):
    """Second implementation, in exact rational arithmetic from the definition."""
    x, y = [Fraction(float(v)) for v in x], [Fraction(float(v)) for v in y]
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    vx = sum((v - mx) ** 2 for v in x) / n
    vy = sum((v - my) ** 2 for v in y) / n
    cov = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / n
    return float(2 * cov / (vx + vy + (mx - my) ** 2))


def test_hand_values():
    # Population variances 2/3, covariance 2/3, means one apart: (4/3) / (4/3 + 1).
    assert ccc([1, 2, 3], [2, 3, 4]) == pytest.approx(4 / 7, abs=1e-15)
    assert ccc([1, 2, 3], [1, 2, 3]) == pytest.approx(1)
    assert ccc([-1, 0, 1], [1, 0, -1]) == pytest.approx(-1)
    # Twice the scale: 2 * 2s / (s + 4s).
    assert ccc([-1, 0, 1], [-2, 0, 2]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0.1] * 7, [0.1] * 7),
        ([0.1] * 7, [0.3] * 7),
        ([0.0] * 3, [0.0] * 3),
        ([0.5], [0.5]),
        ([0.1] * 4, [0.0, 1.0, 2.0, 3.0]),
        ([0.0, 1.0, 2.0, 3.0], [0.1] * 4),
    ],
)
def test_a_constant_scores_zero(x, y):
    assert ccc(x, y) == pytest.approx(0, abs=1e-12)
    assert ccc(np.float32(x), np.float32(y)) == pytest.approx(0, abs=1e-12)


def test_small_variation_on_a_large_mean_keeps_its_digits():
    draw = np.random.default_rng(0)
    x = 1e6 + 1e-2 * draw.normal(size=300)
    y = x + 1e-2 * draw.normal(size=300)
    streamed = CccAccumulator()
    for part in np.array_split(np.arange(300), 17):
        streamed.update(x[part], y[part])
    assert ccc(x, y) == pytest.approx(exact_ccc(x, y), abs=1e-6)
    assert streamed.ccc() == pytest.approx(exact_ccc(x, y), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(-1, 1, width=16), st.floats(-1, 1, width=16)), min_size=2, max_size=40
    ),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_streaming_is_the_concatenation(pairs, cuts):
    x, y = (np.array(column) for column in zip(*pairs, strict=True))
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        return
    streamed = CccAccumulator()
    edges = sorted({0, len(x), *(min(c, len(x)) for c in cuts)})
    for a, b in pairwise(edges):
        streamed.merge(CccAccumulator().update(x[a:b], y[a:b]))
    assert streamed.count == len(x)
    assert streamed.ccc() == pytest.approx(exact_ccc(x, y), abs=1e-9)


def test_concatenation_is_not_the_mean_over_videos():
    a, b = np.array([0.0, 0.1, 0.2]), np.array([0.7, 0.8, 0.9])
    both = CccAccumulator().update(a, a[::-1]).update(b, b[::-1]).ccc()
    assert ccc(a, a[::-1]) == pytest.approx(-1)
    assert both > 0.8


def test_masked_frames_do_not_count_even_as_nan():
    x, y = np.array([1.0, 2, 3, 50]), np.array([2.0, 3, 4, np.nan])
    assert CccAccumulator().update(x, y, ~np.isnan(y)).ccc() == pytest.approx(4 / 7)


def test_refusals():
    with pytest.raises(ValueError, match="no valid frame"):
        ccc([], [])
    with pytest.raises(ValueError, match="not finite"):
        ccc([1.0, math.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match="one length"):
        ccc([1.0, 2.0], [1.0, 2.0, 3.0])

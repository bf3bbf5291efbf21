import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.errors import RequestError
from circumplex.smoothing import Convention, SmoothingSpec, moving_mean, smooth


def paper_loop(column, w):
    """Second implementation: the paper's sentence, frame by frame."""
    clipped = [min(1.0, max(-1.0, float(v))) for v in column]
    half = math.ceil(w / 2)
    return [
        float(np.mean(clipped[max(0, j - half) : min(len(clipped), j + half + 1)]))
        for j in range(len(clipped))
    ]


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 40), st.integers(0, 12), st.integers(0, 99))
def test_paper_convention_for_odd_and_even_windows(frames, window, seed):
    raw = np.random.default_rng(seed).normal(0, 1.5, size=(frames, 2))
    result = smooth(raw, SmoothingSpec(valence=window, arousal=5))
    np.testing.assert_allclose(result[:, 0], paper_loop(raw[:, 0], window), atol=1e-6)
    np.testing.assert_allclose(result[:, 1], paper_loop(raw[:, 1], 5), atol=1e-6)


@pytest.mark.parametrize(("window", "width"), [(20, 21), (50, 51), (5, 7), (1, 3)])
def test_number_of_frames_in_the_mean(window, width):
    impulse = np.zeros((301, 2))
    impulse[150] = 1
    result = smooth(impulse, SmoothingSpec(valence=window, arousal=0))
    assert np.count_nonzero(result[:, 0] > 1e-9) == width
    assert result[150, 0] == pytest.approx(1 / width)
    assert np.count_nonzero(result[:, 1]) == 1


def test_published_code_is_one_sided_and_clips_last():
    spec = SmoothingSpec(Convention.PUBLISHED_CODE, valence=50, arousal=20)
    impulse = np.zeros((301, 2))
    impulse[150] = 60
    result = smooth(impulse, spec)
    assert np.count_nonzero(result[:, 0] > 1e-9) == 101
    assert result[150, 0] == pytest.approx(60 / 101)
    assert np.count_nonzero(result[:, 1] > 1e-9) == 41
    assert result[150, 1] == 1


def test_the_paper_clips_before_it_smooths():
    raw = np.array([[0.0, 0], [3, 3], [0, 0]])
    result = smooth(raw, SmoothingSpec(valence=2, arousal=2))
    np.testing.assert_allclose(result[:, 0], [1 / 2, 1 / 3, 1 / 2], atol=1e-7)


def test_no_window_still_clips():
    result = smooth(np.array([[-2.0, 0.25]]), SmoothingSpec(valence=0, arousal=0))
    np.testing.assert_array_equal(result, [[-1, 0.25]])


@pytest.mark.parametrize("frames", [1, 2, 7, 1000])
def test_a_constant_stays_and_so_does_the_length(frames):
    result = smooth(np.full((frames, 2), 0.3), SmoothingSpec())
    assert result.shape == (frames, 2)
    np.testing.assert_allclose(result, 0.3, atol=1e-7)


def test_long_videos_keep_their_digits():
    draw = np.random.default_rng(0).uniform(-1, 1, size=1_000_000)
    result = moving_mean(draw, 10)
    assert result[-11] == pytest.approx(draw[-21:].mean(), abs=1e-10)


def test_refusals():
    with pytest.raises(ValueError, match="not finite"):
        smooth(np.array([[np.nan, 0]]), SmoothingSpec())
    with pytest.raises(RequestError):
        SmoothingSpec(valence=-1)

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.errors import RequestError
from circumplex.predictions.smoothing import (
    Convention,
    SmoothingSpec,
    moving_mean,
    search_windows,
    smooth,
)


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


def wandering(frames=400):
    draw = np.random.default_rng(3)
    truth = np.cumsum(draw.normal(0, 0.03, size=(frames, 2)), axis=0).clip(-0.9, 0.9)
    return truth, truth + draw.normal(0, 0.3, size=truth.shape)


def test_windows_are_those_of_the_best_ccc():
    truth, raw = wandering()
    annotation = truth.copy()
    annotation[50:60] = np.nan
    tried = {"valence": [0, 8, 400], "arousal": [400, 8]}
    held_out = [("a", raw[:250], annotation[:250]), ("b", raw[250:], annotation[250:])]
    found = search_windows(SmoothingSpec(), tried, held_out)
    assert found.samples == ("a", "b")
    for column, target in enumerate(("valence", "arousal")):
        slow = {}
        for window in tried[target]:
            spec = SmoothingSpec(valence=window, arousal=window)
            pieces = [smooth(values, spec)[:, column] for _, values, _ in held_out]
            valid = ~np.isnan(annotation[:, column])
            x, y = np.concatenate(pieces)[valid], annotation[valid, column]
            covariance = np.mean((x - x.mean()) * (y - y.mean()))
            slow[window] = 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        assert found.scores[target] == pytest.approx(slow)
        assert getattr(found.spec, target) == max(slow, key=slow.__getitem__) == 8


def test_without_annotation_or_candidates_windows_stay():
    truth, raw = wandering(20)
    nothing = np.full_like(truth, np.nan)
    spec = SmoothingSpec(valence=3, arousal=4)
    assert search_windows(spec, {"valence": [9]}, [("a", raw, nothing)]).spec == spec
    assert search_windows(spec, {"valence": [9]}, []).samples == ()
    assert search_windows(spec, {}, [("a", raw, truth)]).spec == spec
    assert search_windows(spec, {"valence": [9]}, [("a", raw, truth)]).spec.arousal == 4

"""The figures' numbers and lines, read from their SVG."""

import math
import warnings
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from circumplex.report.figures import (
    Bar,
    Curve,
    Dots,
    Series,
    ablation_figure,
    downsample,
    face_gaps,
    rank_figure,
    score_figure,
    trace_figure,
    training_figures,
)
from circumplex.report.frame_predictions import FramePredictions
from circumplex.targets import Target
from synthetic_report import picture, words


def predictions(time_s: np.ndarray, values: np.ndarray, spread: float | None) -> FramePredictions:
    of = np.empty(0) if spread is None else np.full(len(time_s), spread)
    return FramePredictions(time_s, values.astype(np.float32), {t: of for t in Target})


@pytest.mark.parametrize(("frames", "points"), [(1, 10), (10, 10), (11, 10), (95, 10), (1000, 7)])
def test_downsampling_is_the_mean_of_what_is_known(frames: int, points: int) -> None:
    rng = np.random.default_rng(frames)
    values = rng.standard_normal((frames, 2))
    values[rng.uniform(size=(frames, 2)) < 0.3] = np.nan
    values[: frames // 3] = np.nan
    time_s = np.cumsum(rng.uniform(0.01, 0.1, frames))
    small = downsample(Series(time_s, values), points)
    run = math.ceil(frames / points)
    assert len(small.time_s) == math.ceil(frames / run) <= points
    for k in range(len(small.time_s)):
        part = slice(k * run, (k + 1) * run)
        assert small.time_s[k] == pytest.approx(np.mean(time_s[part]))
        for column in range(2):
            known = [v for v in values[part, column] if not math.isnan(v)]
            expected = sum(known) / len(known) if known else math.nan
            assert small.values[k, column] == pytest.approx(expected, nan_ok=True)


def test_face_gaps_weigh_frames_by_their_time() -> None:
    """Frames at 0, 1 and 3 s: the second is shown for two seconds, the last for 1.5."""
    gaps = face_gaps(np.array([0.0, 1.0, 3.0]), np.array([True, False, True]), bins=9)
    assert gaps == pytest.approx([0, 0, 1, 1, 1, 1, 0, 0, 0])  # bins of half a second
    halves = face_gaps(np.array([0.0, 1.0, 3.0]), np.array([True, False, True]), bins=1)
    assert halves == pytest.approx([2 / 4.5])
    assert face_gaps(np.array([5.0]), np.array([False]), bins=3) == pytest.approx([1, 1, 1])


def strokes(svg: ElementTree.Element, colour: str) -> list[str]:
    return [
        element.attrib["d"]
        for element in svg.iter()
        if element.tag.endswith("path")
        and f"stroke: {colour}" in element.attrib.get("style", "")
        and "clip-path" in element.attrib
    ]


def fills(svg: ElementTree.Element, colour: str) -> int:
    return sum(f"fill: {colour}; fill-opacity" in e.attrib.get("style", "") for e in svg.iter())


def test_annotation_gaps_break_the_line() -> None:
    time_s = np.arange(100) / 25
    values = np.tile(np.sin(time_s)[:, None], 2)
    gapped = values.copy()
    gapped[40:60] = np.nan
    predicted = predictions(time_s, values, None)
    whole = picture(trace_figure(predicted, Series(time_s, values), None))
    broken = picture(trace_figure(predicted, Series(time_s, gapped), None))
    assert [path.count("M") for path in strokes(whole, "#1f2937")] == [1, 1]
    assert [path.count("M") for path in strokes(broken, "#1f2937")] == [2, 2]
    assert [path.count("M") for path in strokes(broken, "#0b6aa8")] == [1]


def test_a_band_shows_the_spread_of_the_models() -> None:
    time_s = np.arange(50) / 25
    values = np.zeros((50, 2))
    without = picture(trace_figure(predictions(time_s, values, None), None, None))
    with_band = picture(trace_figure(predictions(time_s, values, 0.2), None, None))
    for colour in ("#0b6aa8", "#b84a00"):
        assert fills(without, colour) == 0
        assert fills(with_band, colour) >= 1


def test_figures_of_one_frame_or_epoch() -> None:
    one = predictions(np.array([0.0]), np.array([[0.1, 0.2]]), 0.1)
    nothing = Series(np.array([0.0]), np.array([[np.nan, np.nan]]))
    face = Series(np.array([0.0]), np.array([1.0]))
    assert "valence" in words(picture(trace_figure(one, nothing, face)))
    curve = Curve(np.array([1]), np.array([1.5]), np.array([[0.1, np.nan]]))
    _, ccc = training_figures([curve])
    assert "no validation" not in words(picture(ccc))
    empty = Curve(np.array([1]), np.array([1.5]), np.full((1, 2), np.nan))
    assert "no validation" in words(picture(training_figures([empty])[1]))


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    before = dict(mpl.rcParams)
    training_figures([Curve(np.arange(1, 4), np.ones(3), np.zeros((3, 2)))])
    assert dict(mpl.rcParams) == before


def test_labels_are_plain_text_and_the_longest_are_cut() -> None:
    long = "a_very_long_name_of_an_experiment_of_somebody"
    rows = [Dots("$\\frac{1}{0}$", [0.5], 0.5), Dots(long, [], 0.4, True)]
    text = words(picture(score_figure(rows, Target.VALENCE)))
    assert "$\\frac{1}{0}$" in text
    assert f"{long[:29]}…" in text
    bars = words(picture(ablation_figure([Bar("<b>&", 0.3), Bar("c", -0.1, 0.2)], "mean")))
    assert "<b>&" in bars


def test_undefined_scores_are_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = words(picture(score_figure([Dots("gone", [], math.nan)], Target.AROUSAL)))
        rank_figure(np.array([[0.5, np.nan], [0.6, 0.7]]), "CCC")
    assert "gone" not in text

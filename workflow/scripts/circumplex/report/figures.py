"""Draw the figures of the report: small SVG pictures as data URIs.

Names from outside appear in the page alone, where the template escapes them; the labels of models
and of tables, which stand in pictures, are plain text there too. The object interface of matplotlib
avoids global state. The hash salt is fixed and dates are omitted, so that equal numbers give equal
bytes. Sizes are such that the letters of a figure can be read where it is as wide as a phone.
"""

import io
import math
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from circumplex.report.frame_predictions import FramePredictions
from circumplex.report.overview import QUADRANTS
from circumplex.report.rendering import data_uri
from circumplex.targets import Target

COLOURS = {Target.VALENCE: "#0b6aa8", Target.AROUSAL: "#b84a00"}
ANNOTATION = "#1f2937"
QUIET = "#4b5563"
WITH_FACE, WITHOUT_FACE = "#e5e7eb", "#4b5563"
POINTS = 500
"""Maximum number of points per line of a trace, about a point for each of its pixels."""
TRACE_INCHES = (5.8, 2.7)
PANEL_INCHES = (3.5, 2.9)
ROW_INCHES = (4.8, 0.235)
"""Sizes of figures: of a trace, of those that stand side by side, and of a row of names."""
LETTER_INCHES = 0.076
"""Width of a letter of a row's name, on average."""
MOST_BARS = 40
"""Rows of a figure; tables have all."""
LONGEST_LABEL = 30


@dataclass(frozen=True)
class Series:
    """Values over time.

    Attributes:
        time_s: (frames,) seconds, increasing.
        values: (frames, 2) valence and arousal, NaN where there is no value; or (frames,).
    """

    time_s: NDArray[np.float64]
    values: NDArray[np.floating]


@dataclass(frozen=True)
class Curve:
    """Learning curve of a training run.

    Attributes:
        epoch: (epochs,) from 1.
        train_loss: (epochs,) mean over the epoch's updates.
        ccc: (epochs, 2) validation CCC of valence and arousal, NaN without validation.
    """

    epoch: NDArray[np.integer]
    train_loss: NDArray[np.float64]
    ccc: NDArray[np.float64]


@dataclass(frozen=True)
class Dots:
    """A row of the figure of scores.

    Attributes:
        label: model or ensemble.
        values: CCC of each of its runs.
        mean: CCC that is marked: of an ensemble its own, of an experiment the mean over its runs.
        is_ensemble: whether it is an ensemble.
    """

    label: str
    values: Sequence[float]
    mean: float
    is_ensemble: bool = False


@dataclass(frozen=True)
class Bar:
    """A row of an ablation.

    Attributes:
        label: label of the row.
        value: CCC.
        deviation: standard deviation over seeds; None with one.
    """

    label: str
    value: float
    deviation: float | None = None


def downsample(series: Series, points: int = POINTS) -> Series:
    """Average over runs of consecutive frames, so that at most ``points`` remain.

    A run without any value gives NaN, so that a gap in the annotation remains a gap.
    """
    frames = len(series.time_s)
    run = -(-frames // points)
    if run <= 1:
        return series
    starts = np.arange(0, frames, run)
    present = ~np.isnan(series.values)
    totals = np.add.reduceat(np.where(present, series.values, 0.0).astype(np.float64), starts)
    counts = np.add.reduceat(present.astype(np.int64), starts)
    values = np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0)
    lengths = np.diff(starts, append=frames)
    return Series(np.add.reduceat(series.time_s, starts) / lengths, values)


def face_gaps(
    time_s: NDArray[np.float64], valid: NDArray[np.bool_], bins: int = POINTS
) -> NDArray[np.float64]:
    """Share of the time without a valid face in equal parts of the timeline, (bins,) in [0, 1].

    A frame lasts until the next one, and the last one as long as the average frame, so that frames
    are weighted by their durations.
    """
    ends = np.append(time_s, time_s[-1] + frame_duration(time_s))
    missing_s = np.append(0.0, np.cumsum(np.where(valid, 0.0, np.diff(ends))))
    edges = np.linspace(ends[0], ends[-1], bins + 1)
    return np.asarray(np.diff(np.interp(edges, ends, missing_s)) / np.diff(edges))


def frame_duration(time_s: NDArray[np.float64]) -> float:
    """Mean duration of a frame in seconds; 1/25 s if there is only one."""
    return float(time_s[-1] - time_s[0]) / (len(time_s) - 1) if len(time_s) > 1 else 0.04


def trace_figure(
    predictions: FramePredictions, annotation: Series | None, faces: Series | None
) -> str:
    """Draw valence and arousal of a sample over time, and a strip that marks missing faces.

    Args:
        predictions: predictions of the ensemble, with the spread of its models as a band.
        annotation: annotation, NaN where a frame is not annotated; None if there is none.
        faces: (frames,) 1 where a frame has a valid face, else 0; None without faces.

    Returns:
        Data URI of an SVG picture.
    """
    time_s = predictions.time_s
    with _style():
        figure = Figure(figsize=TRACE_INCHES)
        axes: list[Axes] = list(figure.subplots(3, 1, sharex=True, height_ratios=[6, 6, 0.55]))
        figure.subplots_adjust(left=0.085, right=0.99, top=0.97, bottom=0.155, hspace=0.14)
        for column, (target, panel) in enumerate(zip(Target, axes[:2], strict=True)):
            panel.axhline(0, color="#d1d5db", linewidth=0.6)
            values = predictions.values[:, column]
            spread = predictions.spread[target]
            if len(spread):
                _band(panel, time_s, values, spread, COLOURS[target])
            if annotation is not None:
                _line(panel, annotation, column, ANNOTATION, 0.9)
            _line(panel, Series(time_s, predictions.values), column, COLOURS[target], 1.2)
            panel.set_ylim(-1.05, 1.05)
            panel.set_yticks([-1, 0, 1])
            panel.set_ylabel(target.value, color=COLOURS[target], labelpad=1)
            panel.tick_params(axis="x", length=0, labelbottom=False)
        axes[2].set_xlim(float(time_s[0]), float(time_s[-1]) + frame_duration(time_s))
        if faces is not None:
            _strip(axes[2], faces)
        axes[2].set_yticks([])
        axes[2].spines["left"].set_visible(False)
        axes[2].set_ylabel("face", rotation=0, ha="right", va="center", color=QUIET)
        axes[2].set_xlabel("time (s)", labelpad=1)
        return _data_uri(figure)


def training_figures(runs: Sequence[Curve]) -> tuple[str, str]:
    """Draw training loss, and validation CCC of both targets, over the epochs, one line per run.

    Returns:
        Data URIs of two SVG pictures.
    """
    last = max((int(run.epoch.max()) for run in runs if len(run.epoch)), default=1)
    with _style():
        loss, panel = _panel("training loss")
        for run in runs:
            _line(panel, Series(run.epoch.astype(float), run.train_loss[:, None]), 0, QUIET)
        _epochs(panel, last)
        scores, panel = _panel("validation CCC")
        for column, target in enumerate(Target):
            for run in runs:
                _line(panel, Series(run.epoch.astype(float), run.ccc), column, COLOURS[target])
        if all(np.isnan(run.ccc).all() for run in runs):
            panel.text(0.5, 0.5, "no validation", transform=panel.transAxes, ha="center")
            panel.set_yticks([])
        else:
            panel.grid(axis="y", color="#e5e7eb", linewidth=0.6)
        _epochs(panel, last)
        return _data_uri(loss), _data_uri(scores)


def score_figure(rows: Sequence[Dots], target: Target) -> str:
    """Draw the CCC of models and ensembles for a target: a dot per run, a bar for the mean.

    Returns:
        Data URI of an SVG picture.
    """
    shown = [row for row in rows if math.isfinite(row.mean)][:MOST_BARS]
    with _style():
        figure, panel = _rows(f"CCC, {target.value}", [row.label for row in shown], COLOURS[target])
        for place, row in enumerate(shown):
            if row.is_ensemble:
                panel.plot([row.mean], [place], "D", color=ANNOTATION, markersize=5)
                continue
            panel.plot(
                row.values, [place] * len(row.values), "o", color=COLOURS[target], alpha=0.55, mew=0
            )
            panel.plot([row.mean], [place], "|", color=ANNOTATION, markersize=11, mew=1.4)
        values = [value for row in shown for value in (row.mean, *row.values)]
        panel.set_xlim(*_limits([value for value in values if math.isfinite(value)]))
        return _data_uri(figure)


def ablation_figure(bars: Sequence[Bar], target: str, colour: str = QUIET) -> str:
    """Draw the rows of a table as bars, with the deviation over seeds as a line.

    Args:
        bars: rows of the table.
        target: name of the target, or ``mean``.
        colour: colour of the bars.

    Returns:
        Data URI of an SVG picture.
    """
    shown = list(bars[:MOST_BARS])
    with _style():
        figure, panel = _rows(f"CCC, {target}", [bar.label for bar in shown], colour)
        panel.barh(
            range(len(shown)),
            [bar.value for bar in shown],
            xerr=[bar.deviation or 0.0 for bar in shown],
            color=colour,
            alpha=0.75,
            height=0.62,
            ecolor=ANNOTATION,
            error_kw={"elinewidth": 1},
        )
        panel.axvline(0, color="#9ca3af", linewidth=0.6)
        return _data_uri(figure)


def agreement_figure(counts: NDArray[np.int64], target: Target, ccc: float | None) -> str:
    """Draw predicted against annotated values as a density.

    Args:
        counts: frames by annotated (rows) and predicted value (columns), on a grid over [-1, 1].
        target: what is predicted.
        ccc: CCC over these frames.

    Returns:
        Data URI of an SVG picture.
    """
    with _style():
        score = "" if ccc is None else f": CCC {ccc:.3f}".replace("-", "−")
        figure, panel = _panel(f"{target.value}{score}", COLOURS[target], square=True)
        _density(panel, counts, COLOURS[target])
        panel.plot([-1, 1], [-1, 1], color=QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
        panel.set_xlabel("annotated", labelpad=1)
        panel.set_ylabel("predicted", labelpad=0)
        return _data_uri(figure)


def circle_figure(
    counts: NDArray[np.int64], title: str, dots: NDArray[np.floating] | None = None
) -> str:
    """Draw frames on the circumplex as a density.

    Args:
        counts: frames by valence (rows) and arousal (columns), on a grid over [-1, 1].
        title: heading of the figure.
        dots: (samples, 2) points to draw over them; None for none.

    Returns:
        Data URI of an SVG picture.
    """
    with _style():
        figure, panel = _panel(title, square=True)
        _density(panel, counts, "#374151")
        panel.add_patch(Circle((0, 0), 1, fill=False, color="#9ca3af", linewidth=0.7))
        panel.axhline(0, color="#9ca3af", linewidth=0.6)
        panel.axvline(0, color="#9ca3af", linewidth=0.6)
        if dots is not None:
            panel.plot(dots[:, 0], dots[:, 1], "o", color="#b3261e", markersize=3, alpha=0.7, mew=0)
        panel.set_xlabel("valence", labelpad=1, color=COLOURS[Target.VALENCE])
        panel.set_ylabel("arousal", labelpad=0, color=COLOURS[Target.AROUSAL])
        return _data_uri(figure)


def quadrant_figure(counts: NDArray[np.int64]) -> str:
    """Draw the share of the frames in each quadrant.

    Args:
        counts: (4,) frames, in the order of `QUADRANTS`.

    Returns:
        Data URI of an SVG picture.
    """
    shares = counts / max(int(counts.sum()), 1)
    labels = [quadrant.value.replace("_", " and ") for quadrant in QUADRANTS]
    with _style():
        figure, panel = _rows("frames in each quadrant (%)", labels, ANNOTATION)
        panel.barh(range(len(labels)), 100 * shares, color=QUIET, alpha=0.75, height=0.62)
        return _data_uri(figure)


def rank_figure(scores: NDArray[np.floating], title: str) -> str:
    """Draw scores of samples, the worst first: a dot per target, a line through the means.

    Args:
        scores: (samples, 2) of valence and arousal in that order, NaN where a target has none.
        title: what is drawn.

    Returns:
        Data URI of an SVG picture.
    """
    with _style():
        figure, panel = _panel(f"{title}, worst first")
        places = np.arange(1, len(scores) + 1)
        size = float(np.clip(60 / len(scores), 1.6, 4.5))
        for column, target in enumerate(Target):
            panel.plot(
                *(places, scores[:, column], "o"),
                color=COLOURS[target],
                markersize=size,
                alpha=0.8,
                mew=0,
                label=target.value,
            )
        # A row without any value would warn; each sample has one at least.
        means = np.nanmean(scores, axis=1)
        panel.plot(places, means, color=ANNOTATION, linewidth=1, label="mean")
        panel.grid(axis="y", color="#e5e7eb", linewidth=0.6)
        panel.set_xlim(0.4, len(scores) + 0.6)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel("samples, from the worst", labelpad=1)
        panel.legend(
            loc="best",
            frameon=False,
            handletextpad=0.3,
            borderaxespad=0.2,
            markerscale=4 / size,
        )
        return _data_uri(figure)


def confusion_figure(counts: NDArray[np.int64]) -> str:
    """Draw how frames of each annotated quadrant are spread over the predicted ones.

    Args:
        counts: (4, 4) frames by annotated (rows) and predicted quadrant (columns), in the order of
            `QUADRANTS`.

    Returns:
        Data URI of an SVG picture.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    labels = [quadrant.value.replace("_", "\n") for quadrant in QUADRANTS]
    with _style():
        figure, panel = _panel("quadrants: predicted, of each annotated")
        figure.subplots_adjust(left=0.2, bottom=0.2)
        panel.imshow(shares, cmap=_tint("#374151"), vmin=0, vmax=1.2, aspect="auto")
        for row, column in np.ndindex(*counts.shape):
            share = shares[row, column]
            text = f"{100 * share:.0f} %" if totals[row, 0] else "–"
            colour = "white" if share > 0.65 else ANNOTATION
            panel.text(column, row, text, ha="center", va="center", color=colour)
        panel.set_xticks(range(len(labels)), labels, fontsize=7)
        panel.set_yticks(range(len(labels)), labels, fontsize=7)
        panel.tick_params(length=0)
        for spine in panel.spines.values():
            spine.set_visible(False)
        return _data_uri(figure)


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "circumplex",
            "text.parse_math": False,
            "font.size": 8.5,
            "font.sans-serif": ["DejaVu Sans"],
            "legend.fontsize": 7.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#9ca3af",
            "axes.linewidth": 0.6,
            "xtick.color": QUIET,
            "ytick.color": QUIET,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
        }
    )


def _panel(title: str, colour: str = ANNOTATION, *, square: bool = False) -> tuple[Figure, Axes]:
    """A figure of one panel; a square one spans [-1, 1] both ways."""
    figure = Figure(figsize=PANEL_INCHES)
    panel = figure.subplots()
    figure.subplots_adjust(left=0.13, right=0.97, top=0.91, bottom=0.145)
    panel.set_title(title, loc="left", fontsize=9, color=colour)
    if square:
        panel.set_aspect("equal")
        panel.set_xlim(-1.04, 1.04)
        panel.set_ylim(-1.04, 1.04)
        panel.set_xticks([-1, 0, 1])
        panel.set_yticks([-1, 0, 1])
    return figure, panel


def _rows(title: str, labels: Sequence[str], colour: str) -> tuple[Figure, Axes]:
    """A figure with a row for each label, which stands to its left."""
    short = [
        label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
        for label in labels
    ]
    width, height = ROW_INCHES[0], 0.65 + ROW_INCHES[1] * max(len(short), 1)
    left = (0.2 + LETTER_INCHES * max(map(len, short), default=1)) / width
    figure = Figure(figsize=(width, height))
    panel = figure.subplots()
    figure.subplots_adjust(left=left, right=0.955, top=1 - 0.3 / height, bottom=0.3 / height)
    panel.set_title(title, loc="left", fontsize=9, color=colour)
    panel.set_ylim(len(short) - 0.4, -0.6)
    panel.set_yticks(range(len(short)), short, color=ANNOTATION)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    panel.grid(axis="x", color="#e5e7eb", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", length=0)
    return figure, panel


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Limits of an axis of CCC, in tenths, that hold all values and span a fifth at least."""
    low = math.floor(10 * min(values, default=0.0) - 0.2) / 10
    high = math.ceil(10 * max(values, default=1.0) + 0.2) / 10
    return min(low, high - 0.2), high


def _epochs(panel: Axes, last: int) -> None:
    panel.set_xlim(0.5, last + 0.5)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("epoch", labelpad=1)


def _line(panel: Axes, series: Series, column: int, colour: str, width: float = 0.8) -> None:
    small = downsample(series)
    values = small.values[:, column]
    panel.plot(small.time_s, values, color=colour, linewidth=width)
    present = np.pad(~np.isnan(values), 1)
    alone = present[1:-1] & ~present[:-2] & ~present[2:]
    if alone.any():  # a line through one point is invisible
        panel.plot(small.time_s[alone], values[alone], ".", color=colour, markersize=3)


def _band(
    panel: Axes,
    time_s: NDArray[np.float64],
    values: NDArray[np.floating],
    spread: NDArray[np.float64],
    colour: str,
) -> None:
    edges = np.stack([values - spread, values + spread], axis=1).clip(-1, 1)
    small = downsample(Series(time_s, edges), POINTS // 2)
    low, high = small.values.T
    panel.fill_between(small.time_s, low, high, color=colour, alpha=0.22, linewidth=0)


def _strip(panel: Axes, faces: Series) -> None:
    gaps = face_gaps(faces.time_s, faces.values > 0)
    end = float(faces.time_s[-1]) + frame_duration(faces.time_s)
    panel.imshow(
        gaps[None, :],
        extent=(float(faces.time_s[0]), end, 0, 1),
        aspect="auto",
        interpolation="nearest",
        cmap=LinearSegmentedColormap.from_list("faces", [WITH_FACE, WITHOUT_FACE]),
        vmin=0,
        vmax=1,
    )


def _density(panel: Axes, counts: NDArray[np.int64], colour: str) -> None:
    shown = np.ma.masked_equal(counts.T, 0)
    panel.imshow(
        shown,
        origin="lower",
        extent=(-1, 1, -1, 1),
        interpolation="nearest",
        cmap=_tint(colour),
        norm=LogNorm(0.4, max(int(counts.max()), 2)),
    )


def _tint(colour: str) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("tint", ["#ffffff", colour])


def _data_uri(figure: Figure) -> str:
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' d="[^"]*"', lambda path: _shorter(path[0]), svg)
    return data_uri(svg.encode(), "image/svg+xml")


def _shorter(path: str) -> str:
    """Round coordinates to 0.1 points, finer than any screen; this halves the size of the page."""
    return re.sub(r"\s*([MLCQz])\s*", r"\1", re.sub(r"(\.\d)\d+", r"\1", path))

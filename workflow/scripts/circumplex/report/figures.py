"""Draw the figures of the report: small SVG pictures as data URIs.

They contain no names: text from outside only appears in the page, where the template escapes it.
The object interface of matplotlib avoids global state. The hash salt is fixed and dates are
omitted, so that equal numbers give equal bytes.
"""

import base64
import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from circumplex.targets import Target

COLOURS = {Target.VALENCE: "#0b6aa8", Target.AROUSAL: "#b84a00"}
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
"""Dash patterns of the ensembles in a trace, in points; more could hardly be distinguished."""
ANNOTATION = "#1f2937"
WITH_FACE, WITHOUT_FACE = "#e5e7eb", "#4b5563"
POINTS = 1000
"""Maximum number of points per line, about its width in pixels."""


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
    predictions: Sequence[Series | None], annotation: Series | None, faces: Series | None
) -> str:
    """Draw valence and arousal of a sample over time, and a strip that marks missing faces.

    Args:
        predictions: predictions of each ensemble, drawn with the dash pattern at its position in
            `DASHES`; None if it has not predicted the sample.
        annotation: annotation, NaN where a frame is not annotated; None if there is none.
        faces: (frames,) 1 where a frame has a valid face, else 0; None without faces.

    Returns:
        Data URI of an SVG picture.
    """
    with _style():
        figure = Figure(figsize=(9.0, 3.0))
        heights = [6, 6, 0.5]
        axes: list[Axes] = list(figure.subplots(3, 1, sharex=True, height_ratios=heights))
        figure.subplots_adjust(left=0.065, right=0.985, top=0.97, bottom=0.15, hspace=0.12)
        for column, (target, panel) in enumerate(zip(Target, axes[:2], strict=True)):
            panel.axhline(0, color="#d1d5db", linewidth=0.6)
            if annotation is not None:
                _line(panel, annotation, column, ANNOTATION, (), 0.9)
            for prediction, dashes in zip(predictions, DASHES, strict=False):
                if prediction is not None:
                    _line(panel, prediction, column, COLOURS[target], dashes, 1.3)
            panel.set_ylim(-1.05, 1.05)
            panel.set_yticks([-1, 0, 1])
            panel.set_ylabel(target.value, color=COLOURS[target])
            panel.tick_params(axis="x", length=0, labelbottom=False)
        shown = [s.time_s for s in (*predictions, annotation, faces) if s is not None]
        start = min(float(times[0]) for times in shown)
        end = max(float(times[-1]) + frame_duration(times) for times in shown)
        if faces is not None:
            _strip(axes[2], faces)
        axes[2].set_yticks([])
        axes[2].spines["left"].set_visible(False)
        axes[2].set_xlim(start, end)
        axes[2].set_ylabel("face", rotation=0, ha="right", va="center", color="#4b5563")
        axes[2].set_xlabel("time (s)", labelpad=1)
        return _data_uri(figure)


def training_figure(runs: Sequence[Curve]) -> str:
    """Draw training loss and validation CCC of each target over the epochs, one line per run.

    Returns:
        Data URI of an SVG picture.
    """
    with _style():
        figure = Figure(figsize=(9.0, 2.3))
        loss, *panels = list(figure.subplots(1, 3))
        figure.subplots_adjust(left=0.05, right=0.99, top=0.88, bottom=0.19, wspace=0.18)
        loss.set_title("training loss", loc="left", fontsize=8, color="#1f2937")
        for run in runs:
            _line(loss, Series(run.epoch.astype(float), run.train_loss[:, None]), 0, "#4b5563")
        for column, (target, panel) in enumerate(zip(Target, panels, strict=True)):
            panel.set_title(
                f"validation CCC, {target.value}", loc="left", fontsize=8, color=COLOURS[target]
            )
            for run in runs:
                _line(panel, Series(run.epoch.astype(float), run.ccc), column, COLOURS[target])
            if all(np.isnan(run.ccc[:, column]).all() for run in runs):
                panel.text(
                    0.5, 0.5, "no validation", transform=panel.transAxes, ha="center", va="center"
                )
                panel.set_yticks([])
            else:
                panel.grid(axis="y", color="#e5e7eb", linewidth=0.6)
        last = max((int(run.epoch.max()) for run in runs if len(run.epoch)), default=1)
        for panel in (loss, *panels):
            panel.set_xlim(0.5, last + 0.5)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.set_xlabel("epoch", labelpad=1)
        return _data_uri(figure)


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "circumplex",
            "font.size": 8,
            "font.sans-serif": ["DejaVu Sans"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#9ca3af",
            "axes.linewidth": 0.6,
            "xtick.color": "#4b5563",
            "ytick.color": "#4b5563",
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
        }
    )


def _line(
    panel: Axes,
    series: Series,
    column: int,
    colour: str,
    dashes: tuple[float, ...] = (),
    width: float = 0.8,
) -> None:
    small = downsample(series)
    values = small.values[:, column]
    stroke = (0, dashes) if dashes else "-"
    panel.plot(small.time_s, values, color=colour, linewidth=width, linestyle=stroke)
    present = np.pad(~np.isnan(values), 1)
    alone = present[1:-1] & ~present[:-2] & ~present[2:]
    if alone.any():  # a line through one point is invisible
        panel.plot(small.time_s[alone], values[alone], ".", color=colour, markersize=3)


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


def _data_uri(figure: Figure) -> str:
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' d="[^"]*"', lambda path: _shorter(path[0]), svg)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def _shorter(path: str) -> str:
    """Round coordinates to 0.1 points, finer than any screen; this halves the size of the page."""
    return re.sub(r"\s*([MLCQz])\s*", r"\1", re.sub(r"(\.\d)\d+", r"\1", path))

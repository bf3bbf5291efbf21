"""Make the player pages: one for each sample, and one that lists them all.

A page loads nothing but its video. Names, texts and numbers reach its script as JSON in a block
that browsers do not run, and its markup through templates that escape them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circumplex.report.frame_predictions import Face, Faces, FramePredictions
from circumplex.report.rendering import SHARED, embed_json, make_environment, page_parts
from circumplex.report.summaries import Quadrant, Summary
from circumplex.targets import Target

FOLDER = Path(__file__).parent
MEDIA = "media-src 'self' file: blob:"
"""What a page may load: media beside it, and files that a person chooses."""
DECIMALS = 4
"""Of numbers in a page: a tenth of a millisecond, and less than a pixel of any screen."""
SPARK_POINTS = 80
"""Points of a small trace in the list."""
SPARK_WIDTH, SPARK_HEIGHT = 160, 36


@dataclass(frozen=True)
class Video:
    """What a page plays.

    Attributes:
        link: address relative to the page.
        origin: where the original lies, as a person reads it.
        start_s: the player's time at the sample's time 0, in seconds.
        proxy: whether it is a small copy.
        obstacle: why a browser may not play it; empty if it does.
        with_picture: whether it has more than sound.
    """

    link: str
    origin: str
    start_s: float = 0.0
    proxy: bool = False
    obstacle: str = ""
    with_picture: bool = True


@dataclass(frozen=True)
class PlayedTrace:
    """One ensemble's predictions on a page."""

    ensemble: str
    predictions: FramePredictions
    summary: Summary


@dataclass(frozen=True)
class PlayedSample:
    """A sample with its page.

    Attributes:
        name: name of the sample.
        file: name of its page, without suffix.
        traces: predictions of each ensemble that predicted it, at least one.
        faces: its faces; None if none was looked for.
        video: what the page plays; None without a media file.
    """

    name: str
    file: str
    traces: Sequence[PlayedTrace]
    faces: Faces | None
    video: Video | None


@dataclass(frozen=True)
class Listed:
    """A row of the list.

    Attributes:
        name: name of the sample.
        link: address of its page, relative to the list; empty without one.
        summary: numbers of its first ensemble; None if it was not predicted.
        face_share: share of the frames in which a face was seen; None if none was looked for.
        problem: why it was not predicted; empty if it was.
        sparks: points of its small trace by target, as SVG writes them.
    """

    name: str
    link: str = ""
    summary: Summary | None = None
    face_share: float | None = None
    problem: str = ""
    sparks: Mapping[Target, str] | None = None


class PlayerPages:
    """Renders pages.

    Args:
        title: heading of the list.
        notes: what all predictions were made with; every page shows it.
        warnings: the same, where it makes the predictions worthless.
    """

    def __init__(self, title: str, notes: Sequence[str], warnings: Sequence[str]) -> None:
        self._title, self._notes, self._warnings = title, notes, warnings
        self._environment = make_environment(FOLDER)

    def list_page(self, rows: Sequence[Listed]) -> str:
        """The page that lists all samples, in the order given."""
        return self._render("list.html.j2", SHARED / "list.js", title=self._title, rows=rows)

    def page(self, played: PlayedSample, index: str, before: str, after: str) -> str:
        """A sample's page.

        Args:
            played: the sample.
            index: address of the list, relative to the page.
            before: name of the page of the sample before, without suffix; empty if it is the first.
            after: that of the sample after.
        """
        return self._render(
            "player.html.j2",
            FOLDER / "player.js",
            title=played.name,
            played=played,
            data=embed_json(describe_for_script(played)),
            index=index,
            before=before,
            after=after,
            quadrants=tuple(Quadrant),
        )

    def _render(self, template: str, script: Path, **values: Any) -> str:
        return self._environment.get_template(template).render(
            **page_parts(FOLDER / "player.css", script, MEDIA),
            notes=self._notes,
            warnings=self._warnings,
            targets=tuple(Target),
            **values,
        )


def describe_for_script(played: PlayedSample) -> dict[str, Any]:
    """What the script of a page reads; documented in ``player.js``."""
    (first, *_) = played.traces
    marks = {Face.SEEN: "s", Face.FILLED: "f", Face.ABSENT: "a"}
    return {
        "time": _rounded(first.predictions.time_s),
        "end": round(first.predictions.duration_s, DECIMALS),
        "start": 0.0 if played.video is None else played.video.start_s,
        "faces": "" if played.faces is None else "".join(marks[s] for s in played.faces.states),
        "traces": [
            {
                "name": trace.ensemble,
                **{
                    target.value: {
                        "value": _rounded(trace.predictions.values[:, column]),
                        "spread": _rounded(trace.predictions.spread[target]),
                    }
                    for column, target in enumerate(Target)
                },
            }
            for trace in played.traces
        ],
    }


def _rounded(values: NDArray[np.floating]) -> list[float]:
    return [round(value, DECIMALS) for value in values.tolist()]


def small_traces(predictions: FramePredictions) -> Mapping[Target, str]:
    """Points of a small trace by target: means over equal numbers of frames, as SVG writes them."""
    frames = len(predictions.time_s)
    points = min(frames, SPARK_POINTS)
    starts = np.linspace(0, frames, points, endpoint=False).astype(np.int64)
    lengths = np.diff(starts, append=frames)
    across = (np.arange(points) + 0.5) * SPARK_WIDTH / points
    traces = {}
    for column, target in enumerate(Target):
        values = predictions.values[:, column].astype(np.float64)
        means = np.add.reduceat(values, starts) / lengths
        down = (1 - means) / 2 * SPARK_HEIGHT
        pairs = zip(across.tolist(), down.tolist(), strict=True)
        traces[target] = " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
    return traces

"""Predictions as CSV files: one of every sample's frames, and one with a row per sample.

Comma, point, UTF-8. A file of frames is plain ASCII. The summary begins with a byte order mark:
without one, spreadsheet programs show names in wrong letters.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.io.atomic import replacing
from circumplex.io.spreadsheet import escape_cell
from circumplex.report.frame_predictions import Faces, FramePredictions
from circumplex.report.summaries import Quadrant, Summary
from circumplex.targets import TARGETS

FRAME_COLUMNS = (
    *("frame", "time_s", *TARGETS),
    *(f"{target}_spread" for target in TARGETS),
    *("face", "face_probability"),
)
EXTREMES = ("lowest", "highest")
TEXT_COLUMNS = ("sample", "ensemble", "file", "problem", "notes")
SUMMARY_COLUMNS = (
    *TEXT_COLUMNS[:2],
    *("frames", "duration_s", "face_share"),
    *(
        f"{target}_{what}"
        for target in TARGETS
        for what in (
            *("mean", "deviation"),
            *(column for extreme in EXTREMES for column in (extreme, f"{extreme}_time_s")),
        )
    ),
    *(f"share_{quadrant}" for quadrant in Quadrant),
    *TEXT_COLUMNS[2:],
)


@dataclass(frozen=True)
class SummaryRow:
    """A row of the summary.

    Attributes:
        sample: name of the sample.
        ensemble: name of the ensemble.
        summary: numbers; None if the sample was not predicted.
        face_share: share of the frames in which a face was seen; None if none was looked for.
        file: the sample's CSV file, relative to the summary; empty if there is none.
        problem: why it was not predicted; empty if it was.
    """

    sample: str
    ensemble: str
    summary: Summary | None = None
    face_share: float | None = None
    file: str = ""
    problem: str = ""


def frame_csv(predictions: FramePredictions, faces: Faces | None) -> str:
    """The CSV file of a sample, a row per frame, in the order of `FRAME_COLUMNS`.

    Args:
        predictions: the sample's predictions.
        faces: its faces; None if none was looked for: then their cells are empty.
    """
    frames = len(predictions.time_s)
    empty = [""] * frames
    columns = [
        list(map(str, range(frames))),
        _cells(predictions.time_s, 6),
        *(_cells(values, 6) for values in predictions.values.T),
        *(_cells(spread, 6) if len(spread) else empty for spread in predictions.spread.values()),
        empty if faces is None else faces.states,
        empty if faces is None else _cells(faces.probability, 4),
    ]
    rows = map(",".join, zip(*columns, strict=True))
    return "\n".join([",".join(FRAME_COLUMNS), *rows, ""])


def _cells(values: NDArray[np.floating], decimals: int) -> list[str]:
    """Numbers with fixed decimals; NaN becomes an empty cell."""
    return ["" if value != value else f"{value:.{decimals}f}" for value in values.tolist()]


def write_summary(path: Path, rows: Iterable[SummaryRow], notes: Sequence[str]) -> None:
    """Write the summary, a row per sample and ensemble, in the order of `SUMMARY_COLUMNS`.

    Args:
        path: CSV file to write.
        rows: its rows.
        notes: what all predictions were made with; every row repeats it, so that it stays with
            rows that are copied elsewhere.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SUMMARY_COLUMNS)
    for row in rows:
        writer.writerow([*_summary_cells(row), escape_cell(" ".join(notes))])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8-sig", newline="")


def _summary_cells(row: SummaryRow) -> Iterator[str]:
    yield escape_cell(row.sample)
    yield escape_cell(row.ensemble)
    if row.summary is None:
        yield from [""] * (len(SUMMARY_COLUMNS) - len(TEXT_COLUMNS))
    else:
        yield from _numbers(row, row.summary)
    yield escape_cell(row.file)
    yield escape_cell(row.problem)


def _numbers(row: SummaryRow, summary: Summary) -> Iterator[str]:
    yield str(summary.frames)
    yield f"{summary.duration_s:.3f}"
    yield "" if row.face_share is None else f"{row.face_share:.4f}"
    for target in summary.targets.values():
        yield f"{target.mean:.6f}"
        yield f"{target.deviation:.6f}"
        for extreme in (target.lowest, target.highest):
            yield f"{extreme.value:.6f}"
            yield f"{extreme.time_s:.6f}"
    for quadrant in Quadrant:
        yield f"{summary.quadrants[quadrant]:.4f}"

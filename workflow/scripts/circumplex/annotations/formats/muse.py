"""MuSe (2020 to 2024), with Ulm-TSST: a folder per target, a file per video, milliseconds.

The columns ``timestamp``, ``segment_id`` and ``value``, in any order, and the folders by target are
read so by the challenges' baselines (repositories lstappen/MuSe2021 and EIHW/MuSe-2023,
``data_parser.py``). That timestamps are milliseconds from the start of the video is what the
challenges' papers say; no file of theirs was at hand. A change of ``segment_id`` is a cut: nothing
is interpolated across it.
"""

from pathlib import Path

import numpy as np

from circumplex.annotations.tables import (
    Column,
    read_table,
    target_of_folder,
    to_seconds,
)
from circumplex.annotations.traces import Trace, check_times
from circumplex.config.annotations import AnnotationTable, TimeUnit
from circumplex.errors import SampleError
from circumplex.targets import Target

COLUMNS = ("timestamp", "segment_id", "value")


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the trace of a file; the folder ``valence`` or ``arousal`` that holds it says which it
    is, where the sheet does not.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout, or nothing says which
            target it holds.
    """
    table = read_table(annotation, options)
    places = [table.find(name) for name in COLUMNS]
    found = [place for place in places if place is not None]
    if len(found) < len(COLUMNS):
        raise SampleError(f"annotation {annotation} lacks a column of {', '.join(COLUMNS)} of MuSe")
    column = Column(found[2], target or target_of_folder(annotation))
    lines, (times, segments, values) = table.numbers(found)
    unit = TimeUnit.MILLISECONDS if options.unit is TimeUnit.AUTO else options.unit
    time_s = to_seconds(times, unit)
    check_times(annotation, time_s, lines)
    cuts = np.flatnonzero(np.diff(segments) != 0) + 1
    # A row without value between two segments keeps them apart.
    middle = (time_s[cuts - 1] + time_s[cuts]) / 2
    return [
        Trace(
            column.target,
            "",
            np.insert(time_s, cuts, middle),
            np.insert(values, cuts, np.nan),
            unit=unit,
        )
    ]

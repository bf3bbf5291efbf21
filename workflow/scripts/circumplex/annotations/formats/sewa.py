"""SEWA as in AVEC 2017 to 2019: the recording's name, a time, arousal, valence, liking; 10 Hz.

By the organisers' baselines: AVEC 2019 has a header with the targets' names behind two columns for
name and time (repository AudioVisualEmotionChallenge/AVEC2019,
``Baseline_systems/CES/CES_data.py``), AVEC 2018 has none, and the order arousal, valence, liking
(repository AudioVisualEmotionChallenge/AVEC2018, ``scripts_CES/CES_data.py``); semicolons separate
both. AVEC 2017 could not be checked and is taken to be like AVEC 2018; no file was at hand.
"""

from pathlib import Path

from circumplex.annotations.recognition import SEWA_ROW, first_cells, first_line
from circumplex.annotations.tables import (
    find_unit,
    find_values,
    read_table,
    traces_of,
)
from circumplex.annotations.text import read_head
from circumplex.annotations.traces import Trace
from circumplex.config.annotations import AnnotationTable
from circumplex.errors import SampleError
from circumplex.targets import Target

NAMES = ("name", "timestamp", "arousal", "valence", "liking")
"""Columns of a file without header; the last may be absent."""


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the traces of a file.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout.
    """
    names = None
    head = read_head(annotation)
    if SEWA_ROW.fullmatch(first_line(head).strip()):
        names = NAMES[: len(first_cells(head))]
    table = read_table(annotation, options, names=names)
    if len(table.names) < 3:
        raise SampleError(
            f"annotation {annotation} has {len(table.names)} columns, expected name, time, "
            "arousal, valence and liking of AVEC"
        )
    time = 1
    columns = find_values(table, target, options, apart=[0, time])
    return traces_of(table, columns, time, find_unit(table, time, options), options)

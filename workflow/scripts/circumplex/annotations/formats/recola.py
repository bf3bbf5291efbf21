"""RECOLA (Ringeval et al. 2013): a file per recording and target, a column per annotator, 25 Hz.

That rows are separated by semicolons, with the time first and a column per annotator behind it, and
lie in folders named by the target, is read so by the organisers' script of AVEC 2018 (repository
AudioVisualEmotionChallenge/AVEC2018, ``scripts_GES/GoldStandardCreation/GSCreation.py``). The names
of the columns, ``time; FM1; FM2; FM3; FF1; FF2; FF3``, by which a file is recognised, and the unit,
seconds, could not be checked: no file of the corpus was at hand.
"""

from pathlib import Path

from circumplex.annotations.tables import (
    Column,
    find_time,
    find_unit,
    read_table,
    target_of_folder,
    traces_of,
)
from circumplex.annotations.traces import Trace
from circumplex.config.annotations import AnnotationTable
from circumplex.errors import SampleError
from circumplex.targets import Target


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the traces of a file, one per annotator; the folder ``valence`` or ``arousal`` that
    holds it says which they are, where the sheet does not.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout, or nothing says which
            target it holds.
    """
    table = read_table(annotation, options)
    time = find_time(table, options)
    of = target or target_of_folder(annotation)
    columns = [
        Column(place, of, name) for place, name in enumerate(table.names) if place != time and name
    ]
    if not columns:
        raise SampleError(f"annotation {annotation} has no column of an annotator beside the time")
    return traces_of(table, columns, time, find_unit(table, time, options), options)

"""A table with a column of times: comma, semicolon or tab; seconds or milliseconds; any rate.

Columns are found by their names, or named in the config (``labels.table``).
"""

from pathlib import Path

from circumplex.annotations.tables import (
    find_time,
    find_unit,
    find_values,
    read_table,
    traces_of,
)
from circumplex.annotations.traces import Trace
from circumplex.config.annotations import AnnotationTable
from circumplex.targets import Target


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the traces of a file.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout.
    """
    table = read_table(annotation, options)
    time = find_time(table, options)
    columns = find_values(table, target, options, apart=[time])
    return traces_of(table, columns, time, find_unit(table, time, options), options)

"""DARMA (Girard and Wright 2018): a joystick rates two targets, -magnitude to magnitude.

By the program's source (repository jmgirard/DARMA, ``fig_collect.m`` and ``fig_review.m``): a row
each for the time of rating, the media file and its length, and the magnitude; then the header
``Second``, the label of each axis, ``Button``; a row of percent signs, and the ratings.
"""

from pathlib import Path

from circumplex.annotations.tables import (
    find_header,
    find_unit,
    find_values,
    read_table,
    traces_of,
)
from circumplex.annotations.traces import Trace
from circumplex.config.annotations import AnnotationTable
from circumplex.errors import SampleError
from circumplex.io.numbers import parse_numbers
from circumplex.targets import Target


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the traces of a file; axes that are not labelled valence and arousal are named in the
    config.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout.
    """
    line, before = find_header(annotation, "Second", options)
    table = read_table(annotation, options, line)
    time = table.find("Second")
    assert time is not None, "the header has been found by it"
    apart = [time, *(place for place in [table.find("Button", "B")] if place is not None)]
    columns = find_values(table, target, options, apart)
    magnitude = _read_magnitude(annotation, before)
    unit = find_unit(table, time, options)
    return traces_of(table, columns, time, unit, options, (-magnitude, magnitude))


def _read_magnitude(annotation: Path, before: dict[str, str]) -> float:
    try:
        (magnitude,) = parse_numbers([before.get("magnitude", "")])
    except ValueError:
        magnitude = 0.0
    if not 0 < magnitude < float("inf"):
        raise SampleError(f"annotation {annotation} states no magnitude above 0")
    return magnitude

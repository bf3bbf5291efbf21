"""CARMA (Girard 2014): one rater, one target, a range that the file states.

By the program's source (repository jmgirard/CARMA, ``fig_collect_mouse.m`` and ``fig_review.m``): a
row each for the time of rating, the media file, the labels of the scale's ends, its minimum and
maximum and its steps; then the header ``Second,Rating``, a row of percent signs, and the ratings,
each the mean of a bin that ends at its second. Releases of 2014 repeat all this in columns instead
(``examples/2F10_08_AP.csv`` of the same repository).
"""

from pathlib import Path

from circumplex.annotations.recognition import plain_name
from circumplex.annotations.tables import (
    Column,
    TextTable,
    find_header,
    find_unit,
    read_table,
    traces_of,
)
from circumplex.annotations.traces import Trace
from circumplex.config.annotations import AnnotationTable
from circumplex.errors import SampleError
from circumplex.io.numbers import parse_numbers
from circumplex.targets import Target

ENDS = ("Minimum Value", "Maximum Value")


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the trace of a file.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout, or the sheet does not
            say which target it holds.
    """
    if target is None:
        raise SampleError(
            f"annotation {annotation} is of CARMA, which rates one target and does not say which: "
            "name it in the sheet's column annotation_valence or annotation_arousal"
        )
    line, before = find_header(annotation, "Second", options)
    table = read_table(annotation, options, line)
    time, value = table.find("Second"), table.find("Rating")
    if time is None or value is None:
        raise SampleError(f"annotation {annotation} has no columns Second and Rating of CARMA")
    unit = find_unit(table, time, options)
    ends = _read_range(annotation, table, before)
    return traces_of(table, [Column(value, target)], time, unit, options, ends)


def _read_range(
    annotation: Path, table: TextTable, before: dict[str, str]
) -> tuple[float, float] | None:
    """The scale's ends, from the lines before the header, or from columns of the first row."""
    cells = [before.get(plain_name(name)) for name in ENDS]
    _, first = next(table.rows(), (0, []))
    places = [table.find(name) for name in ENDS]
    texts = [
        first[place] if place is not None and first else cell
        for place, cell in zip(places, cells, strict=True)
    ]
    given = [text for text in texts if text]
    if len(given) < len(ENDS):
        return None
    try:
        low, high = parse_numbers(given)
    except ValueError as error:
        raise SampleError(f"annotation {annotation}: an end of the scale: {error}") from None
    if not low < high:
        raise SampleError(
            f"annotation {annotation}: the scale runs from {low:g} to {high:g}: declare it in "
            "labels.table.range"
        )
    return low, high

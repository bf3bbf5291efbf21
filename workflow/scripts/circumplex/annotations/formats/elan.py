"""ELAN's tab-delimited text: intervals on tiers, whose annotations are numbers.

By ELAN's manual (section "Tab-delimited text file" of the Max Planck Institute's pages) and by
readers of it (repository joneavila/dissatisfaction-models, ``readElanAnnotation.m``): without
header, the cells of a row are tier, participant, then begin, end and duration in each chosen format
of time, then the annotation. With a header, columns are named such as ``Begin Time - ss.msec``, and
each tier has a column of its own. A value holds from its begin up to its end.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from circumplex.annotations.recognition import is_comment, plain_name
from circumplex.annotations.tables import MISSING
from circumplex.annotations.text import read_text
from circumplex.annotations.traces import SAME_TIME_S, Trace, check_times
from circumplex.config.annotations import AnnotationTable, TimeUnit
from circumplex.errors import SampleError
from circumplex.io.numbers import parse_numbers
from circumplex.targets import Target

MOST_BYTES = 64 << 20
CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:[.,]\d+)?)", re.ASCII)
DECIMAL = re.compile(r"\d+[.,]\d+", re.ASCII)
WHOLE = re.compile(r"\d+", re.ASCII)
BEGIN, END = "begintime", "endtime"
Row = tuple[int, str, float, float, float]
"""Line, tier, begin and end in seconds, value."""


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the traces of a file, one per tier whose name begins with a target; a file of one tier
    may have any, where the sheet says which target it is.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout, no tier is of a target,
            or intervals of a tier overlap.
    """
    del options
    tiers: dict[str, list[Row]] = defaultdict(list)
    for row in _read_rows(annotation):
        tiers[row[1]].append(row)
    chosen = _choose(annotation, list(tiers), target)
    return [_trace(annotation, of, tier, tiers[tier]) for tier, of in chosen.items()]


def _choose(annotation: Path, tiers: Sequence[str], target: Target | None) -> dict[str, Target]:
    named = {
        tier: of
        for tier in tiers
        for of in ([target] if target else Target)
        if plain_name(tier).startswith(of)
    }
    if named:
        return named
    if target is not None and len(tiers) == 1:
        return {tiers[0]: target}
    raise SampleError(
        f"annotation {annotation} has the tiers {', '.join(map(repr, tiers)) or 'none'}, of which "
        "no name begins with valence or arousal: rename them, or export one tier alone and name it "
        "in the sheet's column annotation_valence or annotation_arousal"
    )


def _trace(annotation: Path, target: Target, tier: str, rows: Sequence[Row]) -> Trace:
    rows = sorted(rows, key=lambda row: row[2])
    begin, end = np.array([row[2] for row in rows]), np.array([row[3] for row in rows])
    lines = [row[0] for row in rows]
    check_times(annotation, begin, lines)
    wrong = end <= begin
    wrong[:-1] |= begin[1:] < end[:-1] - SAME_TIME_S
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise SampleError(
            f"annotation {annotation}, line {lines[row]}: the interval of tier {tier!r} ends at "
            f"{end[row]:g} s, before it begins or after the next one does"
        )
    rest = tier[len(target) :].strip(" _-.@") if plain_name(tier).startswith(target) else ""
    values = np.array([row[4] for row in rows])
    return Trace(target, rest, begin, values, ends_s=end, unit=TimeUnit.SECONDS)


def _read_rows(annotation: Path) -> list[Row]:
    rows: list[Row] = []
    header: list[str] | None = None
    text = read_text(annotation, MOST_BYTES)
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip() or is_comment(content):
            continue
        cells = [cell.strip() for cell in content.split("\t")]
        where = f"annotation {annotation}, line {line}"
        if header is None and BEGIN in plain_name(content):
            header = cells
        elif header is not None:
            rows += _named_row(where, line, header, cells)
        else:
            begin, end = _times(where, cells[1:-1])
            rows.append((line, cells[0], begin, end, _value(where, cells[-1])))
    if not rows:
        raise SampleError(f"annotation {annotation} has no rows: export tiers with annotations")
    return rows


def _named_row(where: str, line: int, header: Sequence[str], cells: Sequence[str]) -> list[Row]:
    """The annotations of a row below a header: one for each tier that has one."""
    if len(cells) > len(header):
        raise SampleError(f"{where} has {len(cells)} cells, the header has {len(header)}")
    by_name = dict(zip(map(plain_name, header), [*cells, *[""] * len(header)], strict=False))
    times = {
        kind: [cell for name, cell in by_name.items() if name.startswith(kind)]
        for kind in (BEGIN, END)
    }
    begin, end = (_time(where, times[kind]) for kind in (BEGIN, END))
    apart = (BEGIN, END, "duration")
    if "tier" in by_name and "annotation" in by_name:
        return [(line, by_name["tier"], begin, end, _value(where, by_name["annotation"]))]
    tiers = [
        (name, cell)
        for name, cell in zip(header, cells, strict=False)
        if cell and not plain_name(name).startswith(apart)
    ]
    wanted = [
        (name, cell) for name, cell in tiers if plain_name(name).startswith(tuple(Target))
    ] or tiers
    return [(line, name, begin, end, _value(where, cell)) for name, cell in wanted]


def _times(where: str, cells: Sequence[str]) -> tuple[float, float]:
    """Begin and end of a row without header, whose times come in up to three formats."""
    for pattern in (CLOCK, DECIMAL, WHOLE):
        found = [cell for cell in cells if pattern.fullmatch(cell)]
        if len(found) >= 2:
            return _time(where, found[:1]), _time(where, found[1:2])
    raise SampleError(
        f"{where} has no begin and end time: export them as hh:mm:ss.ms, ss.msec or msec"
    )


def _time(where: str, cells: Sequence[str]) -> float:
    """Seconds of a time: a clock's, a decimal number of seconds, or whole milliseconds."""
    for cell in cells:
        if clock := CLOCK.fullmatch(cell):
            seconds = float(clock[3].replace(",", "."))
            return int(clock[1]) * 3600 + int(clock[2]) * 60 + seconds
        if DECIMAL.fullmatch(cell):
            return float(cell.replace(",", "."))
    for cell in cells:
        if WHOLE.fullmatch(cell):
            return int(cell) / 1000
    raise SampleError(f"{where}: {', '.join(cells)[:60]!r} is no time")


def _value(where: str, cell: str) -> float:
    if cell.casefold() in MISSING:
        return float("nan")
    try:
        (value,) = parse_numbers([cell.replace(",", ".") if cell.count(",") == 1 else cell])
    except ValueError as error:
        raise SampleError(f"{where}: {error}: annotations of the tier must be numbers") from None
    return value

"""Whether the first line of a CSV file is a header or frame 0, by a rule that a person can predict.

1. A line of names is a header. Beside the name of a key column (``frame``, ``sample``, ``time_s``)
   or behind an empty first cell, where pandas and R number the rows, names may be numbers too.
2. A line of numbers is frame 0, unless all are whole and different, as in ``0,1,2``: these may be
   names just as well, and the file is refused.
3. Any other line is refused: numbers amid names, and cells that are empty or say ``NA``.
"""

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from circumplex.errors import SampleError
from circumplex.features.imports.feature_file import key_of

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.I)
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
_MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"})
_ROW_NUMBER = frozenset({"", "unnamed: 0"})
"""Names of the column in which pandas and R number the rows."""
_ADVICE = (
    "write a first line with a name for each column, such as frame,v0,v1,v2, each beginning with a "
    "letter"
)


class _Kind(Enum):
    NAME = "a name"
    NUMBER = "a number"
    MISSING = "no value"


def is_header(path: Path, first: Sequence[str]) -> bool:
    """Whether the cells of the first line are names.

    Raises:
        SampleError: they may be names or numbers, or are neither.
    """
    cells = [cell.strip() for cell in first]
    numbered = numbers_rows(cells)
    named = cells[1:] if numbered else cells
    kinds = {_kind(cell) for cell in named}
    if any(map(key_of, cells)) or kinds == {_Kind.NAME}:
        return True
    if kinds == {_Kind.NUMBER}:
        doubtful = _may_be_names(named)
        if numbered and doubtful:
            return True
        if not numbered and not doubtful:
            return False
        if doubtful:
            raise SampleError(
                f"{path}: line 1 is {_shown(cells)}, which may be names or the values of frame 0: "
                f"{_ADVICE}: above this line if it holds values, in its place if it holds names"
            )
    all_kinds = [_kind(cell) for cell in cells]
    odd = all_kinds.index(_Kind.MISSING if _Kind.MISSING in all_kinds else _Kind.NUMBER)
    raise SampleError(
        f"{path}: line 1 is {_shown(cells)}, with {all_kinds[odd].value} in cell {odd + 1}: it is "
        f"neither a line of names nor one of numbers; {_ADVICE}, and a number into every cell of "
        "the other lines"
    )


def numbers_rows(names: Sequence[str]) -> bool:
    """Whether the first column numbers the rows: it has no name, or pandas's for such a column."""
    return len(names) > 1 and names[0].strip().casefold() in _ROW_NUMBER


def _kind(cell: str) -> _Kind:
    if cell.casefold() in _MISSING:
        return _Kind.MISSING
    return _Kind.NUMBER if _NUMBER.fullmatch(cell) else _Kind.NAME


def _may_be_names(cells: Sequence[str]) -> bool:
    whole = all(_WHOLE.fullmatch(cell) for cell in cells)
    return whole and len(set(map(float, cells))) == len(cells)


def _shown(cells: Sequence[str]) -> str:
    text = ",".join(cells)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")

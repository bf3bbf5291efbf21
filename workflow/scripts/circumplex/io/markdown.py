"""Write Markdown tables, one writer for all pages."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from tabulate import tabulate


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines of a GitHub-style table; numbers are written as `str` gives them.

    Args:
        head: names of the columns.
        rows: cells of each row, as many as there are columns; pipes are escaped, line breaks
            become spaces.
    """
    cells = [[_escape(cell) for cell in row] for row in rows]
    names = [_escape(name) for name in head]
    # Without padding: one long cell would stretch every row.
    text = tabulate(cells, names, tablefmt="github", stralign=None, disable_numparse=True)
    return text.splitlines()


def _escape(cell: Any) -> str:
    return re.sub(r"\s*[\r\n]+\s*", " ", str(cell)).replace("|", r"\|")

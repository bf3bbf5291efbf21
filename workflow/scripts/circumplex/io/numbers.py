"""Numbers that a person or a program has written as text."""

from collections.abc import Sequence


def parse_numbers(cells: Sequence[str]) -> list[float]:
    """Parse decimal numbers in ASCII; spaces around them are ignored.

    Python's ``float`` also takes ``0_1`` for one, and digits of other scripts: other readers of the
    same file take neither. Infinities and NaN are numbers here.

    Raises:
        ValueError: a cell is no number; the message names it.
    """
    text = "".join(cells)
    if text.isascii() and "_" not in text:
        try:
            return [*map(float, cells)]
        except ValueError:
            pass
    wrong = next(cell for cell in cells if not _is_number(cell))
    raise ValueError(f"{wrong[:60]!r} is not a number")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell

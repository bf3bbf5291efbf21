"""Text for tables that people open in a spreadsheet program, which takes some text for formulas.

Standard library only.
"""

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
"""A text that begins so is run as a formula by some program, whatever quotes the file has; so is
its full-width form. Apostrophes before it are those of `escape_cell`."""


def escape_cell(text: str) -> str:
    """Text of a cell that no spreadsheet program takes for a formula.

    Text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break gets a leading
    apostrophe; all other text stays as it is. Numbers are not to be escaped: a ``-0.5`` that is
    meant as a number must remain one. Files that a program reads keep names as they are.

    Args:
        text: a name or another text.

    Returns:
        The text of the cell, from which `restore_cell` gives ``text`` again.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def restore_cell(text: str) -> str:
    """Text from which `escape_cell` made a cell."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text

"""Which layout an annotation is of, by the beginning of the file and its name.

Which one it is decides which reader's code a sample's labels depend on, so that it must be known
before any job.

Imported while the workflow is parsed: standard library only.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from circumplex.io.files import is_folder
from circumplex.targets import HEADER, TARGETS

HEAD_BYTES = 4096
"""Of a file, by which its layout is recognised."""
PER_FRAME, TABLE = "affwild2", "csv"
"""Layouts of files that are recognised as none: a text per frame, or a table with times."""
TIMES = (
    *("time", "times", "timestamp", "time_s", "time_ms", "timestamp_s", "timestamp_ms", "t", "s"),
    *("sec", "second", "seconds", "ms", "msec", "millisecond", "milliseconds", "time(sec)"),
    *("time(s)", "time(ms)", "time[s]", "time[ms]", "videotime"),
)
"""Names of a column of times, as `plain_name`."""
SEWA_ROW = re.compile(r"'?[^;']*[^;'\d.][^;']*'?(;\s*(-?\d+(\.\d*)?(e-?\d+)?|nan)\s*){3,4}", re.I)
"""A row of SEWA without header: name; time; arousal; valence; liking, the last at will."""
_CLOCK = re.compile(r"\d+:\d\d:\d\d[.,]\d+", re.ASCII)
_ANNOTATOR = re.compile(r"f[mf]\d+", re.ASCII)


def plain_name(name: str) -> str:
    """A column's name as it is compared: small letters, without spaces."""
    return re.sub(r"\s+", "", name).casefold()


def guess_separator(line: str) -> str:
    """A semicolon, a tab or a comma, in this order, so that a decimal comma is none."""
    return next((mark for mark in (";", "\t") if mark in line), ",")


def first_line(head: str) -> str:
    """The first line of a text; empty where it has none."""
    return head.splitlines()[0] if head.strip() else ""


def first_cells(head: str) -> list[str]:
    """The cells of a text's first line, as `plain_name`."""
    line = first_line(head)
    return [plain_name(cell.strip('" ')) for cell in line.split(guess_separator(line))]


def is_comment(line: str) -> bool:
    """Whether a line is one in which ELAN names a media file."""
    return line.lstrip('"').startswith("#")


def _is_carma(head: str) -> bool:
    text = head.casefold()
    return "minimum value" in text and "second" in text and "rating" in text


def _is_darma(head: str) -> bool:
    text = re.sub(r"[\r\n]+", "\n", head.casefold().replace('"', ""))
    return "\nmagnitude" in text and "\nsecond" in text


def _is_elan(head: str) -> bool:
    lines = [
        line for line in head.splitlines() if line.strip() and not line.startswith(("#", '"#'))
    ]
    if not lines or "\t" not in lines[0]:
        return False
    return "begintime" in plain_name(lines[0]) or len(_CLOCK.findall(lines[0])) > 1


def _is_recola(head: str) -> bool:
    first, *names = first_cells(head)
    return first == "time" and bool(names) and all(map(_ANNOTATOR.fullmatch, names))


def _is_pagan(head: str) -> bool:
    cells = first_cells(head)
    return cells[0] == "originalname" and {"participant", "value"} <= set(cells)


def _is_sewa(head: str) -> bool:
    cells = first_cells(head)
    named = cells[0] == "name" and len(cells) > 2 and bool(set(cells[2:]) & set(TARGETS))
    return named or SEWA_ROW.fullmatch(first_line(head).strip()) is not None


RECOGNISERS: Mapping[str, Callable[[str, str], bool]] = {
    "affwild2": lambda head, _: first_line(head).lower().replace(" ", "") == HEADER,
    "afewva": lambda head, name: name.endswith(".json") and head.lstrip().startswith("{"),
    "carma": lambda head, _: _is_carma(head),
    "darma": lambda head, _: _is_darma(head),
    "elan": lambda head, _: _is_elan(head),
    "muse": lambda head, _: sorted(first_cells(head)) == ["segment_id", "timestamp", "value"],
    "nova": lambda head, name: name.endswith(".annotation") and "<annotation" in head,
    "pagan": lambda head, _: _is_pagan(head),
    "recola": lambda head, _: _is_recola(head),
    "sewa": lambda head, _: _is_sewa(head),
    "csv": lambda head, _: len(first_cells(head)) > 1 and bool(set(first_cells(head)) & set(TIMES)),
}
"""By layout, whether a file that begins like this and has this name is of it; the first one counts.
A layout that is not here is chosen by its name."""


def recognise(annotation: Path, *, has_time: bool = False) -> str:
    """Name of the layout that a file is of.

    Args:
        annotation: file, or folder with a file per annotator, of which the first one decides.
        has_time: whether the config names a column of times, so that an unknown file is a table.

    Returns:
        The layout; of a file that cannot be read, one whose reader says so.
    """
    try:
        file = (annotator_files(annotation) or [annotation])[0]
        if not file.is_file():  # a pipe would keep the caller waiting
            return PER_FRAME
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES).decode("utf-8", errors="replace").removeprefix("\ufeff")
    except (OSError, ValueError):
        return PER_FRAME
    found = (name for name, fits in RECOGNISERS.items() if fits(head, file.name))
    return next(found, TABLE if has_time else PER_FRAME)


def annotator_files(annotation: Path) -> list[Path]:
    """Files of a folder that holds one per annotator, sorted; empty if it is no folder.

    Hidden files and those whose name ends in ``~`` (data beside a header, copies of editors) are
    left out.
    """
    if not is_folder(annotation):
        return []
    return sorted(
        path
        for path in annotation.iterdir()
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith("~")
    )

"""Read the organisers' list of the samples or images of a test set or of a submission.

Two formats are read: a text with one sample's name per line, and a CSV whose first cell is
``<sample>/<image>.jpg``, with images numbered from 1, with or without header ``image_location``.

Imported while the workflow is parsed: standard library only.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from circumplex.errors import RequestError

MOST_FRAMES = 10_000_000
"""Highest number of an image: 46 hours at 60 frames per second."""
_IMAGE = re.compile(r"(?P<sample>.+)/0*(?P<number>[0-9]{1,12})\.(?:jpg|jpeg|png)", re.IGNORECASE)


class ListedRow(NamedTuple):
    """A line of the list.

    Attributes:
        sample: name of the sample.
        frame: frame number from 0; None if the line names a whole sample.
        text: first cell of the line, which a submission repeats unchanged.
    """

    sample: str
    frame: int | None
    text: str


def read_list(path: Path, suffixes: Collection[str] = (".txt",)) -> Iterator[ListedRow]:
    """The rows of a list in its order.

    Args:
        path: of the list.
        suffixes: that a sample's name may have in it, in lower case.

    Raises:
        RequestError: no such file, not text, an image whose number is not from 1 to `MOST_FRAMES`,
            or a line of several cells that names no image.
    """
    if not path.is_file():
        raise RequestError(f"list {path} is missing")
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                text, other_cells, _ = map(str.strip, line.partition(","))
                if not text or text == "image_location":
                    continue
                image = _IMAGE.fullmatch(text)
                if image is None:
                    if other_cells:
                        raise RequestError(
                            f"{path}, line {number}: {line.strip()[:60]!r} is not the name of a "
                            "sample or of an image, <sample>/00001.jpg: write one per line"
                        )
                    yield ListedRow(_without_suffix(text, suffixes), None, text)
                    continue
                frame = int(image["number"]) - 1
                if not 0 <= frame < MOST_FRAMES:
                    raise RequestError(
                        f"{path}, line {number}: images are numbered from 1 to {MOST_FRAMES}: "
                        f"{text[:200]}"
                    )
                yield ListedRow(image["sample"], frame, text)
    except UnicodeDecodeError as error:
        raise RequestError(f"list {path} is not UTF-8 text: {error}") from error


def _without_suffix(name: str, suffixes: Collection[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and f"{dot}{suffix}".lower() in suffixes else name


def read_sample_list(path: Path, suffixes: Collection[str] = (".txt",)) -> dict[str, int | None]:
    """Samples of a list in its order, with the highest image number, or none where it lists names.

    The arguments are those of `read_list`.

    Raises:
        RequestError: an empty list, names and images mixed, a row that comes twice.
    """
    found: dict[str, int | None] = {}
    seen: dict[str, bytearray] = {}
    kinds = set()
    for sample, frame, text in read_list(path, suffixes):
        kinds.add(frame is None)
        if len(kinds) > 1:
            raise RequestError(f"list {path} mixes samples and images: {text!r}")
        marks = seen.setdefault(sample, bytearray())
        row = frame or 0
        marks.extend(bytes(max(0, row + 1 - len(marks))))
        if marks[row]:
            raise RequestError(f"list {path} has {text!r} twice")
        marks[row] = 1
        found[sample] = None if frame is None else len(marks)
    if not found:
        raise RequestError(f"list {path} is empty")
    return found

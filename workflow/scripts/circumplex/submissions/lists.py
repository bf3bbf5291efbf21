"""Read the organisers' list of the samples or images that a submission must contain.

Two formats are read: a text with one sample's name per line, and a CSV whose first cell is
``<sample>/<image>.jpg``, with images numbered from 1, with or without header ``image_location``.

Imported while the workflow is parsed: standard library only.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from circumplex.errors import RequestError

_IMAGE = re.compile(r"(?P<sample>.+)/(?P<number>[0-9]+)\.(?:jpg|jpeg|png)", re.IGNORECASE)


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


def read_list(path: Path) -> Iterator[ListedRow]:
    """The rows of a list in its order.

    Raises:
        RequestError: no such file, not text, or an image numbered 0.
    """
    if not path.is_file():
        raise RequestError(f"submission list {path} is missing")
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                text = line.split(",")[0].strip()
                if not text or text == "image_location":
                    continue
                image = _IMAGE.fullmatch(text)
                if image is None:
                    yield ListedRow(text.removesuffix(".txt"), None, text)
                    continue
                frame = int(image["number"]) - 1
                if frame < 0:
                    raise RequestError(f"{path}, line {number}: images are numbered from 1: {text}")
                yield ListedRow(image["sample"], frame, text)
    except UnicodeDecodeError as error:
        raise RequestError(f"submission list {path} is not UTF-8 text: {error}") from error


def listed_samples(path: Path) -> dict[str, int | None]:
    """Samples of a list in its order, with the highest image number, or none where it lists names.

    Raises:
        RequestError: an empty list, names and images mixed, a row that comes twice.
    """
    found: dict[str, int | None] = {}
    seen: dict[str, bytearray] = {}
    kinds = set()
    for sample, frame, text in read_list(path):
        kinds.add(frame is None)
        if len(kinds) > 1:
            raise RequestError(f"submission list {path} mixes samples and images: {text!r}")
        marks = seen.setdefault(sample, bytearray())
        row = frame or 0
        marks.extend(bytes(max(0, row + 1 - len(marks))))
        if marks[row]:
            raise RequestError(f"submission list {path} has {text!r} twice")
        marks[row] = 1
        found[sample] = None if frame is None else len(marks)
    if not found:
        raise RequestError(f"submission list {path} is empty")
    return found

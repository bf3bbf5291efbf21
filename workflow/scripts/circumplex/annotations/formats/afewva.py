"""AFEW-VA (Kossaifi et al. 2017): a JSON per clip, values of -10 to 10 per numbered image.

Its ``frames`` maps the number of an image, such as ``"00000"``, to ``valence``, ``arousal`` and
``landmarks``; so it is read by others too (public code that takes ``data['frames']`` and each
frame's two values). That values lie in -10 to 10 is what the corpus's paper says. The clips are
folders of images (``image_rate`` in the sheet). No file of the corpus was at hand.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.text import read_text
from circumplex.errors import SampleError

LARGEST = 10.0
MOST_BYTES = 64 << 20
MOST_FRAMES = 1_000_000


def read(annotation: Path) -> NDArray[np.float32]:
    """Read an annotation.

    Returns:
        Array (rows, 2) of valence and arousal in [-1, 1], a row per image from the first numbered
        one to the last, NaN where an image is missing.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout.
    """
    frames = _frames(annotation)
    try:
        numbers = {int(name): entry for name, entry in frames.items() if _is_number(name)}
    except ValueError:  # of thousands of digits
        numbers = {}
    if not numbers or len(numbers) < len(frames):
        raise SampleError(
            f"annotation {annotation} has no frames, one that is not named by its number, or one "
            "number twice"
        )
    first, last = min(numbers), max(numbers)
    if last - first >= MOST_FRAMES:
        raise SampleError(f"annotation {annotation}: its frames run from {first} to {last}")
    values = np.full((last - first + 1, 2), np.nan)
    for number, entry in numbers.items():
        values[number - first] = _values(annotation, number, entry)
    return (values / LARGEST).astype(np.float32)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def _frames(annotation: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(annotation, MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise SampleError(f"annotation {annotation} is no JSON: {error}") from None
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, dict):
        raise SampleError(f"annotation {annotation} has no frames by number, as AFEW-VA has them")
    return frames


def _values(annotation: Path, number: int, entry: Any) -> tuple[float, float]:
    given = entry if isinstance(entry, dict) else {}
    found: tuple[Any, Any] = (given.get("valence"), given.get("arousal"))
    if not all(map(_is_value, found)):
        raise SampleError(
            f"annotation {annotation}, frame {number}: valence and arousal are numbers of "
            f"{-LARGEST:g} to {LARGEST:g}"
        )
    return float(found[0]), float(found[1])


def _is_value(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= LARGEST

"""Aff-Wild2's annotation text: header ``valence,arousal``, then one row per frame."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.text import read_text
from circumplex.errors import SampleError
from circumplex.targets import HEADER

UNANNOTATED = -5.0
"""In either value, it marks a frame without annotation, which enters neither loss nor metric."""


def read(annotation: Path) -> NDArray[np.float32]:
    """Read an annotation.

    Returns:
        Array (rows, 2) of valence and arousal in [-1, 1], row k for the video's frame k, NaN in
        both where either is -5.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout.
    """
    return parse_annotation(read_text(annotation))


def parse_annotation(text: str) -> NDArray[np.float32]:
    """Parse an annotation text: header ``valence,arousal``, then one row per frame.

    Returns:
        Array (rows, 2) of valence and arousal in [-1, 1], NaN in both where either is -5.

    Raises:
        SampleError: the text is empty, has another header, a row that is not two numbers, or a
            value out of range.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise SampleError("the annotation is empty: write one row per frame or remove the sample")
    if lines[0].strip().lower().replace(" ", "") != HEADER:
        raise SampleError(
            f"the annotation's first line is {lines[0][:60]!r}, expected {HEADER!r}; "
            "is this a valence-arousal annotation? Other layouts, and how to name columns: "
            "docs/annotations.md"
        )
    if len(lines) == 1:
        raise SampleError("the annotation has a header but no rows: write one row per frame")
    values = np.empty((len(lines) - 1, 2), dtype=np.float64)
    for row, line in enumerate(lines[1:]):
        cells = line.split(",")
        try:
            if len(cells) != 2 or "_" in line:  # Python reads 1_0 as ten.
                raise ValueError
            values[row] = [float(cell) for cell in cells]
        except ValueError:
            raise SampleError(
                f"annotation line {row + 2} is {line[:60]!r}, expected two numbers: {HEADER}"
            ) from None
    unannotated = (values == UNANNOTATED).any(axis=1)
    in_range = (np.abs(values) <= 1).all(axis=1)
    wrong = ~np.isfinite(values).all(axis=1) | ~(unannotated | in_range)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise SampleError(
            f"annotation line {row + 2} is {lines[row + 1][:60]!r}: valence and arousal lie in "
            f"[-1, 1], and {UNANNOTATED:g} marks a frame without annotation"
        )
    values[unannotated] = np.nan
    return values.astype(np.float32)

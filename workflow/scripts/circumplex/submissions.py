"""Submission files of the ABAW challenges, and a checker that refuses what organisers would.

3rd challenge: a folder with one text a sample, header ``valence,arousal``, one row a frame.
6th and later: one CSV, ``image_location,valence,arousal``, rows ``<sample>/00001.jpg,...``.
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import CircumplexError
from circumplex.files import replacing

HEADER = "valence,arousal"
IMAGE_HEADER = "image_location,valence,arousal"
DECIMALS = 6
_MAX_REPORTED = 20


class SubmissionError(CircumplexError):
    """A submission that the organisers would refuse; names the files and rows."""


def image_name(sample: str, frame: int) -> str:
    """Name of a frame's image as the organisers write it: numbered from 1, five digits."""
    return f"{sample}/{frame + 1:05d}.jpg"


def _rows(predictions: NDArray[np.floating], decimals: int) -> Iterator[str]:
    if predictions.ndim != 2 or predictions.shape[1] != 2 or len(predictions) == 0:
        raise ValueError(f"expected (frames, 2) predictions, got {predictions.shape}")
    if not (np.abs(predictions) <= 1).all():
        raise ValueError("predictions of a submission are numbers in [-1, 1]")
    # Adding zero turns -0.0 into 0.0.
    for valence, arousal in (np.round(predictions.astype(np.float64), decimals) + 0.0).tolist():
        yield f"{valence:.{decimals}f},{arousal:.{decimals}f}"


def write_submission(
    path: Path, predictions: NDArray[np.floating], decimals: int = DECIMALS
) -> None:
    """Write one sample's text in the form of the 3rd challenge, atomically.

    Args:
        path: ``<folder>/<sample>.txt``.
        predictions: (frames, 2) in [-1, 1], one row a frame.
        decimals: digits after the point.

    Raises:
        ValueError: another shape, no frame, or a value that is NaN or out of range.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        file.writelines(row + "\n" for row in _rows(predictions, decimals))


def write_image_submission(
    path: Path,
    samples: Iterable[tuple[str, NDArray[np.floating]]],
    decimals: int = DECIMALS,
) -> None:
    """Write the one CSV of the 6th challenge, atomically, a sample at a time.

    Args:
        path: CSV to write.
        samples: name and (frames, 2) predictions in [-1, 1].
        decimals: digits after the point.

    Raises:
        ValueError: another shape, no frame, or a value that is NaN or out of range.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(IMAGE_HEADER + "\n")
        for sample, predictions in samples:
            for frame, row in enumerate(_rows(predictions, decimals)):
                file.write(f"{image_name(sample, frame)},{row}\n")


def read_submission(path: Path) -> NDArray[np.float32]:
    """Values of one text, (frames, 2).

    Raises:
        SubmissionError: see `check_submission`.
    """
    problems: list[str] = []
    values = list(_read_text(path, problems))
    _raise(problems)
    return np.array(values, dtype=np.float32).reshape(-1, 2)


def check_submission(folder: Path, expected_rows: Mapping[str, int]) -> None:
    """Refuse a folder of texts that is not exactly what was asked for.

    Args:
        folder: of the submission.
        expected_rows: rows a sample.

    Raises:
        SubmissionError: files that are missing or extra, a wrong header or number of rows, a row
            that is not two numbers in [-1, 1]; names file and line, at most 20 of them.
    """
    if not folder.is_dir():
        raise SubmissionError(f"{folder} is not a folder of submission texts")
    problems: list[str] = []
    found = {path.name for path in folder.iterdir()}
    expected = {f"{sample}.txt": rows for sample, rows in expected_rows.items()}
    problems += [f"{name}: missing" for name in sorted(expected.keys() - found)]
    problems += [f"{name}: not asked for" for name in sorted(found - expected.keys())]
    for name, rows in expected.items():
        if name in found:
            count = sum(1 for _ in _read_text(folder / name, problems))
            if count != rows:
                problems.append(f"{name}: {count} rows, expected {rows}")
    _raise(problems)


def check_image_submission(path: Path, expected_rows: Mapping[str, int]) -> None:
    """Refuse a CSV of the 6th challenge's form that is not exactly what was asked for.

    Args:
        path: of the CSV.
        expected_rows: frames a sample, each named by `image_name`; their order is free.

    Raises:
        SubmissionError: rows that are missing, extra or repeated, a wrong header, a row that is
            not an image and two numbers in [-1, 1]; names file and line.
    """
    if not path.is_file():
        raise SubmissionError(f"{path} is missing")
    problems: list[str] = []
    seen = {sample: np.zeros(rows, dtype=bool) for sample, rows in expected_rows.items()}
    with path.open(newline="", encoding="utf-8") as file:
        if file.readline().strip() != IMAGE_HEADER:
            problems.append(f"{path.name}, line 1: the header must be {IMAGE_HEADER}")
        for line, cells in enumerate(csv.reader(file), 2):
            where = f"{path.name}, line {line}"
            if len(cells) != 3:
                problems.append(f"{where}: {len(cells)} cells, expected {IMAGE_HEADER}")
                continue
            _value(cells[1:], where, problems)
            sample, _, image = cells[0].rpartition("/")
            frame = _frame(image)
            if sample not in seen or frame is None or not 0 <= frame < len(seen[sample]):
                problems.append(f"{where}: {cells[0]} is not asked for")
            elif seen[sample][frame]:
                problems.append(f"{where}: {cells[0]} is repeated")
            else:
                seen[sample][frame] = True
    for sample, rows in seen.items():
        if not rows.all():
            first = image_name(sample, int(np.argmin(rows)))
            problems.append(
                f"{path.name}: {int((~rows).sum())} rows of {sample} are missing, first {first}"
            )
    _raise(problems)


def _frame(image: str) -> int | None:
    stem = image.removesuffix(".jpg")
    if stem == image or len(stem) < 5 or not (stem.isascii() and stem.isdecimal()):
        return None
    frame = int(stem) - 1
    return frame if f"{frame + 1:05d}" == stem else None


def _read_text(path: Path, problems: list[str]) -> Iterator[tuple[float, float]]:
    try:
        with path.open(encoding="utf-8") as file:
            if file.readline().strip() != HEADER:
                problems.append(f"{path.name}, line 1: the header must be {HEADER}")
            for line, text in enumerate(file, 2):
                yield _value(text.strip().split(","), f"{path.name}, line {line}", problems)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path.name}: cannot be read: {error}")


def _value(cells: list[str], where: str, problems: list[str]) -> tuple[float, float]:
    try:
        valence, arousal = (float(cell) for cell in cells)
    except ValueError:
        problems.append(f"{where}: {','.join(cells)[:60]!r} is not two numbers")
        return math.nan, math.nan
    if not (abs(valence) <= 1 and abs(arousal) <= 1):
        problems.append(f"{where}: {valence:g},{arousal:g} is not in [-1, 1]")
    return valence, arousal


def _raise(problems: list[str]) -> None:
    if problems:
        shown = problems[:_MAX_REPORTED]
        more = len(problems) - len(shown)
        raise SubmissionError("\n".join(shown + ([f"and {more} more"] if more else [])))

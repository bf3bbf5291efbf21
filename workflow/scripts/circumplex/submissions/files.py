"""Write and check submission files of the ABAW challenges.

3rd challenge: a folder with one text per sample, header ``valence,arousal``, one row per frame.
6th and later: one CSV, ``image_location,valence,arousal``, rows ``<sample>/00001.jpg,...``.

If the organisers count a video's frames differently, their list decides with ``rows: list``: frames
past the last decoded one repeat its prediction, and frames past the last listed one are omitted.
"""

import csv
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import CircumplexError
from circumplex.io.atomic import replacing
from circumplex.io.numbers import parse_numbers
from circumplex.io.sample_lists import ListedRow
from circumplex.targets import HEADER

IMAGE_HEADER = f"image_location,{HEADER}"
DECIMALS = 6
_MAX_REPORTED = 20


class SubmissionError(CircumplexError):
    """A submission that the organisers would refuse; names the files and rows."""


def image_name(sample: str, frame: int) -> str:
    """Name of a frame's image as the organisers write it: numbered from 1, five digits."""
    return f"{sample}/{frame + 1:05d}.jpg"


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; move it to ``path`` if the block succeeds."""
    temporary = path.with_name(f".partial-{path.name}")
    former = path.with_name(f".former-{path.name}")
    for left_over in (temporary, former):
        shutil.rmtree(left_over, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.exists():
            path.replace(former)
        temporary.replace(path)
    finally:
        for left_over in (temporary, former):
            shutil.rmtree(left_over, ignore_errors=True)


def fit_rows(
    predictions: NDArray[np.floating], rows: int, max_difference: int
) -> NDArray[np.floating]:
    """Cut or extend a sample's predictions to the organisers' number of frames.

    Args:
        predictions: (frames, 2) predictions.
        rows: number of rows to return; the last prediction is repeated if needed.
        max_difference: largest number of repetitions.

    Returns:
        Predictions (rows, 2).

    Raises:
        SubmissionError: more repetitions would be needed: it is hardly the same video.
    """
    if rows - len(predictions) > max_difference:
        raise SubmissionError(
            f"the list has {rows} frames, the video {len(predictions)}: more than "
            f"{max_difference} apart (max_difference); is it the same video?"
        )
    return predictions[np.minimum(np.arange(rows), len(predictions) - 1)]


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
        predictions: (frames, 2) in [-1, 1], one row per frame.
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


def write_listed_submission(
    path: Path,
    rows: Iterable[ListedRow],
    predictions: Callable[[str], NDArray[np.floating]],
    decimals: int = DECIMALS,
) -> None:
    """Write the one CSV of the 6th challenge with a list's rows in its order, atomically.

    Args:
        path: CSV to write.
        rows: images to emit.
        predictions: of a sample, (frames, 2) in [-1, 1]; asked for whenever the sample changes.
        decimals: digits after the point.

    Raises:
        ValueError: see `write_image_submission`.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(IMAGE_HEADER + "\n")
        for sample, listed in groupby(rows, key=lambda row: row.sample):
            texts, frames = zip(*((row.text, row.frame) for row in listed), strict=True)
            values = predictions(sample)[list(frames)]
            for text, row in zip(texts, _rows(values, decimals), strict=True):
                file.write(f"{text},{row}\n")


def check_submission(folder: Path, expected_rows: Mapping[str, int]) -> None:
    """Check that a folder of texts holds exactly the expected samples and rows.

    Args:
        folder: folder of the submission.
        expected_rows: number of rows per sample.

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


def check_listed_submission(path: Path, rows: Iterable[ListedRow]) -> None:
    """Refuse a CSV that has not exactly the images of a list in its order.

    Args:
        path: of the CSV.
        rows: the list's, each once.

    Raises:
        SubmissionError: rows missing, extra, repeated or out of order, a wrong header, a row that
            is not an image and two numbers in [-1, 1]; names file and line.
    """
    if not path.is_file():
        raise SubmissionError(f"{path} is missing")
    problems: list[str] = []
    expected = {row.text: False for row in rows}
    order = iter(expected)
    in_order = True
    for line, cells in _image_rows(path, problems):
        where = f"{path.name}, line {line}"
        if cells[0] not in expected:
            problems.append(f"{where}: {cells[0]} is not asked for")
        elif expected[cells[0]]:
            problems.append(f"{where}: {cells[0]} is repeated")
        else:
            expected[cells[0]] = True
            in_order = in_order and next(order) == cells[0]
    missing = [text for text, found in expected.items() if not found]
    if missing:
        problems.append(f"{path.name}: {len(missing)} rows are missing, first {missing[0]}")
    elif not problems and not in_order:
        problems.append(f"{path.name}: the rows are not in the list's order")
    _raise(problems)


def _image_rows(path: Path, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row of an image and two numbers; what is not is a problem."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            if file.readline().strip() != IMAGE_HEADER:
                problems.append(f"{path.name}, line 1: the header must be {IMAGE_HEADER}")
            for line, cells in enumerate(csv.reader(file), 2):
                where = f"{path.name}, line {line}"
                if len(cells) != 3:
                    problems.append(f"{where}: {len(cells)} cells, expected {IMAGE_HEADER}")
                    continue
                _value(cells[1:], where, problems)
                yield line, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{path.name}: cannot be read: {error}")


def check_image_submission(path: Path, expected_rows: Mapping[str, int]) -> None:
    """Refuse a CSV of the 6th challenge's form that is not exactly what was asked for.

    Args:
        path: of the CSV.
        expected_rows: number of frames per sample, named by `image_name`, in any order.

    Raises:
        SubmissionError: rows that are missing, extra or repeated, a wrong header, a row that is
            not an image and two numbers in [-1, 1]; names file and line.
    """
    if not path.is_file():
        raise SubmissionError(f"{path} is missing")
    problems: list[str] = []
    seen = {sample: np.zeros(rows, dtype=bool) for sample, rows in expected_rows.items()}
    for line, cells in _image_rows(path, problems):
        where = f"{path.name}, line {line}"
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
        valence, arousal = parse_numbers(cells)
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

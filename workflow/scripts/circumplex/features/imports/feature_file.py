"""What the readers of all formats share: a sample's rows, their limits, and their key columns."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import SampleError

MOST_ROWS = 10_000_000
"""Rows of a sample: 46 hours at 60 frames per second."""
BLOCK = 4096
VALUES_PER_BLOCK = 2**22
"""Rows are read in blocks that end at whichever limit comes first."""
NUMBERS = "fiu"
"""Kinds of NumPy types that are numbers."""
SAMPLE, FRAME, TIME_S = KEYS = ("sample", "frame", "time_s")
"""Columns of a table that are no values of a feature: they say which frame a row belongs to."""
_LONGEST_REASON = 600


class Rows(NamedTuple):
    """Rows of a file, in its order.

    Attributes:
        values: (rows, dimension) numbers, as they are in the file.
        time_s: (rows,) seconds, where the file has a column of times.
    """

    values: NDArray[Any]
    time_s: NDArray[Any] | None = None


@dataclass(frozen=True)
class FeatureFile:
    """A sample's feature in a user's file.

    Attributes:
        path: of the file.
        rows: one for each video frame.
        dimension: values per row; none where only the values themselves show it.
        blocks: gives the rows, at most `rows_per_block` at a time. It raises a SampleError for rows
            whose key columns do not say what they must.
    """

    path: Path
    rows: int
    dimension: int | None
    blocks: Callable[[], Iterator[Rows]]


def rows_per_block(dimension: int) -> int:
    """Rows that are read at once, so that memory grows with neither rows nor dimension."""
    return max(1, min(BLOCK, VALUES_PER_BLOCK // max(dimension, 1)))


@contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """Turn whatever a library raises of a file into the error of its sample, which names the file.

    The block does little else than call libraries on the file. Since the sizes of what is read are
    checked before, a lack of memory counts as a damaged file too.

    Raises:
        SampleError: the block has raised an error.
    """
    try:
        yield
    except SampleError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[0][:_LONGEST_REASON]
        raise SampleError(f"{path} cannot be read: {reason}") from error


def check_size(path: Path, rows: int) -> None:
    """Refuse a file with more rows than a video has frames.

    Raises:
        SampleError: more than `MOST_ROWS`.
    """
    if rows > MOST_ROWS:
        raise SampleError(
            f"{path} has {rows} rows, and {MOST_ROWS} are the most that a sample may have: is it "
            "the file of one video, with one row per frame?"
        )


def key_of(name: str) -> str | None:
    """The key that a column's name stands for, in any case and with spaces around; else none."""
    found = name.strip().casefold()
    return found if found in KEYS else None


def find_keys(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Places of the key columns by key.

    Raises:
        SampleError: two columns stand for one key.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        key = key_of(name)
        if key is not None and places.setdefault(key, place) != place:
            raise SampleError(
                f"{path}: the columns {names[places[key]]!r} and {name!r} both stand for {key}: "
                "remove one"
            )
    return places


def check_frames(path: Path, start: int, frames: NDArray[Any]) -> None:
    """Check that a column of frames counts 0, 1, 2, ... in order.

    Args:
        path: of the file.
        start: number of the first of these rows, from 0.
        frames: (rows,) what the column has.

    Raises:
        SampleError: naming the first row that has another number.
    """
    expected = np.arange(start, start + len(frames))
    if frames.dtype.kind not in NUMBERS:
        right = np.zeros(len(frames), dtype=bool)
    else:
        right = frames == expected
    if not right.all():
        row = int(np.argmin(right))
        raise SampleError(
            f"{path}: column frame has {_shown(frames[row])} in row {start + row} (from 0): it "
            "must count 0, 1, 2, ... in order. Sort the rows by frame, number the frames from 0, "
            "none left out; or drop the column if the rows are in order"
        )


def check_samples(path: Path, start: int, names: Sequence[Any], sample: str) -> None:
    """Check that a column of samples names the sample in every row.

    Args:
        path: of the file.
        start: number of the first of these rows, from 0.
        names: what the column has.
        sample: name of the sample.

    Raises:
        SampleError: naming the first row of another sample.
    """
    for row, name in enumerate(names, start):
        if name != sample:
            raise SampleError(
                f"{path}: column sample has {_shown(name)} in row {row} (from 0), but the file is "
                f"that of sample {sample!r}: give each sample a file of its own rows"
            )


def check_times(path: Path, start: int, found: NDArray[Any], time_s: NDArray[np.float64]) -> None:
    """Check that a column of times belongs to the frames of the timeline.

    Each time must be nearer to that of its own frame than to that of the frames around it, so that
    rounded times pass and those of another frame rate do not.

    Args:
        path: of the file.
        start: number of the first of these rows, from 0.
        found: (rows,) what the column has, in seconds.
        time_s: (frames,) times of all frames of the timeline.

    Raises:
        SampleError: naming the first frame whose time is another.
    """
    own = time_s[start : start + len(found)]
    gaps = np.diff(time_s, prepend=-np.inf, append=np.inf)[start : start + len(found) + 1]
    nearest = np.minimum(gaps[:-1], gaps[1:])
    if found.dtype.kind not in NUMBERS:
        right = np.zeros(len(found), dtype=bool)
    else:
        right = np.abs(found - own) <= nearest / 2
    if not right.all():
        row = int(np.argmin(right))
        raise SampleError(
            f"{path}: column time_s has {_shown(found[row])} for frame {start + row} (from 0), "
            f"whose time is {own[row]:.4f} s: are these the frames of this video? Without a video, "
            "media.audio_only_fps gives the frames their times; without the column, no times are "
            "compared"
        )


def _shown(value: Any) -> str:
    found = value.item() if isinstance(value, np.generic) else value
    return f"{found:g}" if isinstance(found, float) else repr(found)[:80]

"""A regular timeline of a sample: frames at a stated rate, each taken from the nearest one in time.

Features, encoders and smoothing count frames. On a timeline of one rate they count seconds, so that
predictions do not depend on the rate at which a video was filmed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from circumplex.io.parquet import (
    TableWriter,
    count_rows,
    describe,
    frame_schema,
    read_columns,
    read_metadata,
)

SOURCE = "source"
"""Column of a regular timeline: number of the frame in the video that a row is taken from."""
VIDEO_FRAMES = "video_frames"
"""Number of the video's own frames, in the metadata of a regular timeline."""


def resample_times(
    time_s: NDArray[np.floating], rate: float
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Compute regular times, and the nearest of the given ones.

    Args:
        time_s: (frames,) times in seconds, increasing, at least one.
        rate: frames per second of the result.

    Returns:
        (n,) times from the first to the last of ``time_s`` at intervals of 1 / rate, and (n,)
        indices into ``time_s``; of two that are equally near, the earlier one.
    """
    count = int(np.floor((time_s[-1] - time_s[0]) * rate + 1e-6)) + 1
    regular = time_s[0] + np.arange(count) / rate
    return regular, find_nearest(time_s, regular)


def find_nearest(time_s: NDArray[np.floating], wanted_s: NDArray[np.floating]) -> NDArray[np.int32]:
    """Find the nearest of the given times.

    Args:
        time_s: (frames,) times in seconds, increasing, at least one.
        wanted_s: (n,) times in seconds.

    Returns:
        (n,) indices into ``time_s``; of two that are equally near, the earlier one.
    """
    last = len(time_s) - 1
    after = np.clip(np.searchsorted(time_s, wanted_s), 1, max(last, 1))
    before, after = after - 1, np.minimum(after, last)
    later = np.abs(time_s[after] - wanted_s) < np.abs(time_s[before] - wanted_s) - 1e-9
    return np.where(later, after, before).astype(np.int32)


def resample_timeline(timeline: Path, output: Path, metadata: Any, *, rate: float) -> None:
    """Write the regular timeline of a sample: ``frame``, ``time_s``, ``decoded``, ``source``.

    What the metadata of ``timeline`` says about the video goes along, with its number of frames.

    Args:
        timeline: table from `circumplex.media.timeline`.
        output: table to write.
        metadata: how the table is made.
        rate: frames per second.
    """
    time_s, decoded = read_columns(timeline, ["time_s", "decoded"])
    regular, source = resample_times(time_s, rate)
    facts = {**read_metadata(timeline), VIDEO_FRAMES: len(time_s)}
    schema = frame_schema(
        describe("decoded", pa.bool_(), "whether the frame has a picture that decodes"),
        describe(SOURCE, pa.int32(), "number of the video's own frame that is taken, from 0"),
    )
    with TableWriter(output, schema, {**facts, **metadata}) as table:
        table.write(
            frame=np.arange(len(regular), dtype=np.int32),
            time_s=regular,
            decoded=decoded[source],
            source=source,
        )


def read_sources(timeline: Path) -> NDArray[np.int32] | None:
    """Numbers of the video's frames that a timeline takes; None if it takes all as they are."""
    if SOURCE not in pq.read_schema(timeline).names:
        return None
    (source,) = read_columns(timeline, [SOURCE])
    return np.asarray(source, np.int32)


def count_video_frames(timeline: Path) -> int:
    """Number of the video's own frames, which a regular timeline may have more or fewer of."""
    return int(read_metadata(timeline).get(VIDEO_FRAMES, count_rows(timeline)))


def resample_trace(
    values: NDArray[np.floating], time_s: NDArray[np.floating], native_s: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Interpolate a trace linearly in time; beyond its ends, its first and last values hold.

    Args:
        values: (n, columns) at times ``time_s``.
        time_s: (n,) seconds, increasing.
        native_s: (frames,) seconds, where values are wanted.

    Returns:
        (frames, columns) float32.
    """
    columns = [np.interp(native_s, time_s, column) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float32)

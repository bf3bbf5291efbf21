"""Segments of a video and the order in which training and prediction take them (section 3.3).

Frames are numbered from 0 here; a segment is a half-open range of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import RequestError


class Segment(NamedTuple):
    """Frames ``start`` up to but not including ``stop`` of a sample."""

    sample: str
    start: int
    stop: int


@dataclass(frozen=True)
class Step:
    """The segments of one batch.

    Attributes:
        segments: segments, one per row.
        carry: row i continues row i of the step before: the encoder's state is carried over.
    """

    segments: tuple[Segment, ...]
    carry: bool


def segment_bounds(frames: int, length: int, stride: int) -> list[tuple[int, int]]:
    """Segments of a video as (start, stop), in order.

    A video of n frames gives floor(n/p) + 1 segments; segment i (from 1) covers frames
    (i-1)p + 1 ... (i-1)p + l, cut at the video's end; an empty last one is dropped (n a multiple
    of p, no frame left).

    Args:
        frames: n.
        length: l.
        stride: p; at most l, or frames would be left out.

    Raises:
        RequestError: a stride beyond the length, or one below 1.
    """
    if not 1 <= stride <= length:
        raise RequestError(
            f"segment length {length} with stride {stride}: the stride must lie in 1...{length}"
        )
    starts = range(0, frames, stride)
    return [(start, min(start + length, frames)) for start in starts]


class OverlapAverage:
    """Mean a frame over the segments that cover it, as a running sum and count.

    Args:
        frames: number of frames of the video.
        shape: shape of one frame's values.
    """

    def __init__(self, frames: int, *shape: int) -> None:
        self._sum = np.zeros((frames, *shape), dtype=np.float64)
        self._count = np.zeros((frames, *(1 for _ in shape)), dtype=np.int64)

    def add(self, start: int, values: NDArray[np.float32]) -> None:
        """Add the values of the frames from ``start``."""
        self._sum[start : start + len(values)] += values
        self._count[start : start + len(values)] += 1

    def mean(self) -> NDArray[np.float32]:
        """(frames, *shape).

        Raises:
            ValueError: a frame that no segment covered.
        """
        if not self._count.all():
            raise ValueError(f"frame {int(np.argmin(self._count))} was never predicted")
        return (self._sum / self._count).astype(np.float32)


def shuffled_batches(
    samples: Sequence[str],
    frames: Mapping[str, int],
    size: int,
    generator: np.random.Generator,
    bucket_batches: int,
) -> Iterator[list[str]]:
    """Batches of shuffled videos, bucketed by length.

    Videos of one batch run in step, so unequal ones leave the longest running alone. Shuffled
    videos are sorted by length within buckets of ``bucket_batches`` batches; the batches come in
    shuffled order again. ``bucket_batches`` of 1 leaves the batches as drawn.
    """
    drawn = [samples[i] for i in generator.permutation(len(samples))]
    span = size * bucket_batches
    batches = []
    for begin in range(0, len(drawn), span):
        bucket = drawn[begin : begin + span]
        if bucket_batches > 1:
            bucket.sort(key=lambda sample: frames[sample])
        batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    for i in generator.permutation(len(batches)):
        yield batches[i]


def steps_in_step(
    batches: Iterable[Sequence[str]], frames: Mapping[str, int], length: int
) -> Iterator[Step]:
    """Walk the videos of each batch side by side, one segment of every video a step.

    Rows are in order of falling length, so that the videos still running are the first rows and
    a video that has ended costs nothing.
    """
    for batch in batches:
        rows = sorted(batch, key=lambda sample: -frames[sample])
        for start in range(0, frames[rows[0]], length):
            yield Step(
                tuple(
                    Segment(sample, start, min(start + length, frames[sample]))
                    for sample in rows
                    if frames[sample] > start
                ),
                carry=start > 0,
            )


def steps_of_segments(segments: Iterable[Segment], size: int) -> Iterator[Step]:
    """Cut a stream of segments into batches of at most ``size``; no state is carried."""
    batch: list[Segment] = []
    for segment in segments:
        batch.append(segment)
        if len(batch) == size:
            yield Step(tuple(batch), carry=False)
            batch = []
    if batch:
        yield Step(tuple(batch), carry=False)


def cut_segments(
    samples: Iterable[str], frames: Mapping[str, int], length: int, stride: int
) -> Iterator[Segment]:
    """Cut samples into segments, sample by sample."""
    for sample in samples:
        for start, stop in segment_bounds(frames[sample], length, stride):
            yield Segment(sample, start, stop)

"""Assign rows of audio features to video frames.

The paper does not specify this; it is our choice. Frame j covers the interval [t_j, t_{j+1}) of
presentation times; the last frame lasts as long as the median frame.

- Descriptors (eGeMAPS, ComParE) and wav2vec 2.0 tokens: the mean of the rows whose centre lies in
  the frame's interval; where there is none, the row whose centre is nearest to the interval's
  middle (the earlier one on a tie).
- VGGish examples: the example whose centre is nearest to the interval's middle.
"""

import numpy as np
from numpy.typing import NDArray

from circumplex.config.modalities import Framing


def frame_edges(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of the frames' intervals, (n + 1,) seconds, from presentation times (n,) seconds."""
    if len(time_s) == 0:
        return np.zeros(0)
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.04
    return np.append(time_s, time_s[-1] + step)


def row_ranges(
    edges: NDArray[np.float64], centres: NDArray[np.float64], framing: Framing
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last row of each frame; never empty.

    Args:
        edges: (n + 1,) seconds, from `frame_edges`.
        centres: (m,) seconds, increasing, m >= 1.
        framing: mean of the rows in the interval, or the nearest row.

    Returns:
        Two arrays (n,): frame j is the mean of rows first[j] ... last[j] - 1.
    """
    middles = (edges[:-1] + edges[1:]) / 2
    nearest = nearest_index(centres, middles)
    if framing is Framing.NEAREST:
        return nearest, nearest + 1
    first = np.searchsorted(centres, edges[:-1], side="left")
    last = np.searchsorted(centres, edges[1:], side="left")
    empty = first == last
    return np.where(empty, nearest, first), np.where(empty, nearest + 1, last)


def nearest_index(
    sorted_values: NDArray[np.float64], queries: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Index of the value nearest to each query; the earlier one on a tie."""
    right = np.clip(np.searchsorted(sorted_values, queries), 1, max(len(sorted_values) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(sorted_values) - 1)
    is_left = queries - sorted_values[left] <= sorted_values[right] - queries
    return np.where(is_left, left, right).astype(np.int64)


def range_means(
    values: NDArray[np.float32], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Means of row ranges: values (m, d), ranges (n,) with first < last -> (n, d).

    Each range is summed on its own, so that a frame's value does not depend on its neighbours.
    """
    total = np.zeros((len(first), values.shape[1]), dtype=np.float64)
    count = last - first
    for offset in range(int(count.max(initial=0))):
        inside = count > offset
        total[inside] += values[first[inside] + offset]
    return (total / count[:, None]).astype(np.float32)

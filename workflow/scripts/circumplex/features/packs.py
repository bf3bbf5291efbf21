"""Write packs: the features of a shard's samples, one row per frame, in a memory-mapped array.

A pack is one file per shard and feature, so that a new video rewrites one shard: an array ``.npy``
(frames of all samples, dimension), and a JSON index with the position and the digest of each
sample's rows. A sample without the modality has rows of zeros and ``present`` false.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from numpy.typing import NDArray

from circumplex.config.modalities import Framing
from circumplex.features.framing import frame_edges, range_means, row_ranges
from circumplex.io.atomic import replacing, write_json
from circumplex.io.parquet import count_rows, iter_batches, read_columns, to_numpy

FRAMES_PER_BLOCK = 4096


def index_paths(files: Iterable[str]) -> dict[str, list[Path]]:
    """Indexes of packs by feature, from paths ``.../<feature>/<shard>.json`` and ``.npy``."""
    paths: dict[str, list[Path]] = {}
    for file in files:
        path = Path(file)
        if path.suffix == ".json":
            paths.setdefault(path.parent.name, []).append(path)
    return paths


@dataclass(frozen=True)
class PackedSample:
    """A sample to pack.

    Attributes:
        timeline: table of the sample from ``extract_frames``.
        features: table of the sample from the extractor; None if the modality is absent.
    """

    timeline: Path
    features: Path | None


def frame_blocks(path: Path, feature: str) -> Iterator[NDArray[np.float32]]:
    """Read a table of visual features, which has one row per frame, as (rows, dimension) blocks."""
    for batch in iter_batches(path, [feature]):
        yield to_numpy(batch.column(0))


def aligned_blocks(
    path: Path, feature: str, time_s: NDArray[np.float64], framing: Framing
) -> Iterator[NDArray[np.float32]]:
    """Vectors of an audio feature table on the frame's clock, a block of frames at a time.

    Only the row groups that a block needs are read, so memory does not grow with the sound.
    """
    start_s, end_s = read_columns(path, ["start_s", "end_s"])
    first, last = row_ranges(frame_edges(time_s), (start_s + end_s) / 2, framing)
    with pq.ParquetFile(path, memory_map=True) as file:
        sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        begins = np.concatenate([[0], np.cumsum(sizes)])
        for begin in range(0, len(time_s), FRAMES_PER_BLOCK):
            block = slice(begin, begin + FRAMES_PER_BLOCK)
            low, high = int(first[block].min()), int(last[block].max())
            groups = np.flatnonzero((begins[:-1] < high) & (begins[1:] > low))
            values = to_numpy(file.read_row_groups(groups.tolist(), columns=[feature])[feature])
            offset = begins[groups[0]]
            yield range_means(values, first[block] - offset, last[block] - offset)


def pack_features(
    samples: Mapping[str, PackedSample],
    feature: str,
    framing: Framing | None,
    array: Path,
    index: Path,
    *,
    dimension: int,
    dtype: str,
) -> None:
    """Write the pack of a shard and a feature.

    Args:
        samples: by name.
        feature: name of the feature's column.
        framing: how audio rows become frames; None for a feature with one row per frame.
        array: ``.npy`` file to write, (frames of all samples, dimension).
        index: JSON file to write.
        dimension: values per frame.
        dtype: ``float32`` or ``float16``.

    Raises:
        ValueError: a feature table whose frames are not the timeline's, of another dimension, or
            with a value that is not finite: a bug in the extractor, never padded over; a value
            that ``dtype`` cannot hold.
    """
    frames = {name: count_rows(sample.timeline) for name, sample in samples.items()}
    header = {
        "descr": dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": (sum(frames.values()), dimension),
    }
    entries: dict[str, dict[str, object]] = {}
    start = 0
    with replacing(array) as temporary, temporary.open("wb") as file:
        write_array_header_1_0(file, header)
        for name, sample in sorted(samples.items()):
            digest = hashlib.sha256()
            rows = 0
            for block in _blocks(sample, feature, framing, frames[name], dimension):
                if not np.isfinite(block).all():
                    raise ValueError(f"{name}: {feature} holds values that are not finite")
                if block.shape[1] != dimension:
                    size = f"{feature} has {block.shape[1]} values per frame"
                    raise ValueError(f"{name}: {size}, expected {dimension}")
                if np.abs(block).max(initial=0) > np.finfo(dtype).max:
                    raise ValueError(f"{name}: {feature} exceeds {dtype}; use packs.dtype: float32")
                data = block.astype(dtype).tobytes()
                file.write(data)
                digest.update(data)
                rows += len(block)
            if rows != frames[name]:
                raise ValueError(f"{name}: {feature} has {rows} frames, the video {frames[name]}")
            entries[name] = {
                "start": start,
                "frames": rows,
                "present": sample.features is not None,
                "sha256": digest.hexdigest(),
            }
            start += rows
    write_json(
        index, {"feature": feature, "dimension": dimension, "dtype": dtype, "samples": entries}
    )


def _blocks(
    sample: PackedSample, feature: str, framing: Framing | None, frames: int, dimension: int
) -> Iterator[NDArray[np.float32]]:
    if sample.features is None:
        return _zeros(frames, dimension)
    if framing is None:
        return frame_blocks(sample.features, feature)
    (time_s,) = read_columns(sample.timeline, ["time_s"])
    return aligned_blocks(sample.features, feature, time_s, framing)


def _zeros(frames: int, dimension: int) -> Iterator[NDArray[np.float32]]:
    for begin in range(0, frames, FRAMES_PER_BLOCK):
        yield np.zeros((min(FRAMES_PER_BLOCK, frames - begin), dimension), dtype=np.float32)

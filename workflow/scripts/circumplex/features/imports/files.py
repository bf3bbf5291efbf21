"""Import features from a user's files (npy, csv, Parquet, HDF5), with one row per video frame.

Rows are streamed, so that memory does not grow with the length of a video. A problem with a
sample's file fails that sample, and the message names the file.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.features.imports.sources import HDF5, missing_source, source_files
from circumplex.io.parquet import TableWriter, frame_schema, read_columns, to_numpy, vector_field

BLOCK = 4096
KEYS = frozenset({"sample", "frame", "time_s"})
"""Columns of a CSV or Parquet file that are no values of a feature."""
FLOATS = "fiu"
"""Kinds of NumPy types that are numbers."""


@dataclass(frozen=True)
class FeatureFile:
    """A sample's feature in a user's file.

    Attributes:
        path: of the file.
        rows: one for each video frame.
        blocks: gives the rows, (rows, dimension) at a time, as they are in the file.
    """

    path: Path
    rows: int
    blocks: Callable[[], Iterator[NDArray[Any]]]


def open_feature(root: Path, feature: str, sample: str) -> FeatureFile:
    """Find and open a sample's feature.

    Args:
        root: what the config names under ``import``.
        feature: our name of it.
        sample: name.

    Raises:
        SampleError: no file that holds the sample, two of them, or one that cannot be read.
    """
    files = source_files(root, feature, sample)
    if not files:
        raise SampleError(missing_source(root, feature, sample))
    if files[0].suffix in HDF5:
        return _hdf5(files, sample)
    if len(files) > 1:
        raise SampleError(f"{' and '.join(map(str, files))} hold the same sample: remove one")
    (path,) = files
    readers = {".npy": _npy, ".csv": _csv}
    try:
        if path.suffix in readers:
            return readers[path.suffix](path)
        if path.suffix == ".parquet":
            return _parquet(path, feature, sample if path == root else None)
    except (OSError, EOFError, ValueError, pa.ArrowException) as error:
        raise SampleError(f"{path} cannot be read: {error}") from error
    raise SampleError(f"{path}: features are read from .npy, .csv, .parquet and .h5 files")


def import_features(
    root: Path,
    feature: str,
    sample: str,
    timeline: Path,
    output: Path,
    *,
    dimension: int,
    metadata: Mapping[str, Any],
) -> None:
    """Write a sample's table of a feature: ``frame``, ``time_s``, and the feature's vectors.

    Args:
        root: what the config names under ``import``.
        feature: name of the column.
        sample: name.
        timeline: the sample's table of frame times.
        output: table to write.
        dimension: values per frame.
        metadata: metadata to write into the table.

    Raises:
        SampleError: a file that cannot be read, has another number of rows than the video has
            frames, another dimension, or a value that is no finite number.
    """
    source = open_feature(root, feature, sample)
    (time_s,) = read_columns(timeline, ["time_s"])
    if source.rows != len(time_s):
        raise SampleError(
            f"{source.path} has {source.rows} rows of {feature} for {len(time_s)} video frames; "
            "write one row per frame"
        )
    schema = frame_schema(vector_field(feature, dimension))
    start = 0
    with TableWriter(output, schema, metadata) as table:
        for block in checked_blocks(source, feature, dimension):
            stop = start + len(block)
            frame = np.arange(start, stop, dtype=np.int32)
            table.write(**{"frame": frame, "time_s": time_s[start:stop], feature: block})
            start = stop
    if start != source.rows:
        raise SampleError(f"{source.path} changed while it was read")


def checked_blocks(
    source: FeatureFile, feature: str, dimension: int
) -> Iterator[NDArray[np.float32]]:
    """The rows as float32.

    Raises:
        SampleError: see `import_features`.
    """
    start = 0
    try:
        for block in source.blocks():
            if block.ndim != 2 or block.shape[1] != dimension:
                found = block.shape[1] if block.ndim == 2 else f"an array of shape {block.shape},"
                raise SampleError(
                    f"{source.path} has {found} values per frame, expected {dimension} of {feature}"
                )
            with np.errstate(over="ignore"):
                values = block.astype(np.float32)
            wrong = ~np.isfinite(values).all(axis=1)
            if wrong.any():
                row = start + int(np.argmax(wrong))
                raise SampleError(
                    f"{source.path}: {feature} of frame {row} (from 0) is not a finite number"
                )
            yield values
            start += len(block)
    except (OSError, EOFError, ValueError, pa.ArrowException) as error:
        raise SampleError(f"{source.path} cannot be read: {error}") from error


def _npy(path: Path) -> FeatureFile:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.dtype.kind not in FLOATS:
        raise SampleError(
            f"{path} holds {array.dtype} of shape {array.shape}, expected numbers (frames, values)"
        )
    return FeatureFile(
        path, len(array), lambda: (array[i : i + BLOCK] for i in range(0, len(array), BLOCK))
    )


def _csv(path: Path) -> FeatureFile:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.reader(file), [])
            lines = sum(1 for line in file if line.strip()) + bool(first)
    except (UnicodeDecodeError, csv.Error) as error:
        raise SampleError(f"{path} is not a CSV text: {error}") from error
    header = not all(map(_is_number, first))
    chosen = [i for i, name in enumerate(first) if not header or name.strip() not in KEYS]

    def blocks() -> Iterator[NDArray[np.float64]]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = enumerate((row for row in csv.reader(file) if row), 1)
            if header:
                next(reader)
            while rows := list(islice(reader, BLOCK)):
                yield np.array([_numbers(path, n, r, len(first), chosen) for n, r in rows])

    return FeatureFile(path, lines - header, blocks)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(
    path: Path, line: int, row: Sequence[str], width: int, chosen: Sequence[int]
) -> list[float]:
    if len(row) != width:
        raise SampleError(f"{path}, line {line} has {len(row)} cells, line 1 has {width}")
    try:
        return [float(row[i]) for i in chosen]
    except ValueError as error:
        raise SampleError(f"{path}, line {line}: {error}") from error


def _parquet(path: Path, feature: str, sample: str | None) -> FeatureFile:
    """A table of one sample, or of all with a column ``sample``.

    The feature is the column of its name, else the only column of vectors, else all number columns.
    """
    data = pyarrow.dataset.dataset(path, format="parquet")
    schema = data.schema
    vectors = [field.name for field in schema if pa.types.is_list(field.type)]
    vectors += [field.name for field in schema if pa.types.is_fixed_size_list(field.type)]
    numbers = [
        field.name
        for field in schema
        if field.name not in KEYS
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]
    if feature in schema.names:
        columns = [feature]
    elif vectors:
        columns = vectors
    else:
        columns = numbers
    if not columns or (len(columns) > 1 and columns == vectors):
        raise SampleError(f"{path}: name the column {feature}; it has {', '.join(schema.names)}")
    if sample is None:
        rows, chosen = int(pq.read_metadata(path).num_rows), None
    else:
        if "sample" not in schema.names:
            raise SampleError(f"{path} has no column sample: add it, or write one file per sample")
        chosen = pyarrow.dataset.field("sample") == sample
        rows = data.count_rows(filter=chosen)
        if not rows:
            raise SampleError(f"{path} has no row of this sample in its column sample")
    keyed = "frame" in schema.names

    def blocks() -> Iterator[NDArray[Any]]:
        start = 0
        wanted = [*columns, *(["frame"] if keyed else [])]
        scanner = data.scanner(
            columns=wanted, filter=chosen, batch_size=BLOCK, batch_readahead=1, use_threads=False
        )
        for batch in scanner.to_batches():
            if not batch.num_rows:
                continue
            if keyed:
                expected = np.arange(start, start + batch.num_rows)
                if not np.array_equal(to_numpy(batch.column("frame")), expected):
                    raise SampleError(f"{path}: column frame must count 0, 1, 2, ... in order")
            start += batch.num_rows
            yield np.column_stack([_matrix(path, batch.column(name)) for name in columns])

    return FeatureFile(path, rows, blocks)


def _matrix(path: Path, column: pa.Array) -> NDArray[Any]:
    if column.null_count:
        raise SampleError(f"{path} has empty cells")
    if pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type):
        flat = column.flatten().to_numpy(zero_copy_only=False)
        lengths = {len(value) for value in column} if pa.types.is_list(column.type) else set()
        if len(lengths) > 1:
            raise SampleError(f"{path} holds vectors of {sorted(lengths)} values")
        return np.asarray(flat).reshape(len(column), -1)
    return np.asarray(column.to_numpy(zero_copy_only=False))[:, None]


def _hdf5(files: Sequence[Path], sample: str) -> FeatureFile:
    holding: list[tuple[Path, tuple[int, ...]]] = []
    for path in files:
        try:
            with h5py.File(path, "r") as file:
                if sample in file:
                    holding.append((path, _values(path, file, sample).shape))
        except OSError as error:
            raise SampleError(f"{path} cannot be read: {error}") from error
    if len(holding) != 1:
        named = ", ".join(str(path) for path, _ in holding) or ", ".join(map(str, files))
        raise SampleError(f"{named}: {len(holding)} groups of this sample, expected one")
    ((path, shape),) = holding
    _check_length(path, sample, shape[0])

    def blocks() -> Iterator[NDArray[Any]]:
        with h5py.File(path, "r") as file:
            values = _values(path, file, sample)
            for start in range(0, shape[0], BLOCK):
                yield np.asarray(values[start : start + BLOCK])

    return FeatureFile(path, shape[0], blocks)


def _values(path: Path, file: h5py.File, sample: str) -> h5py.Dataset:
    group = file[sample]
    values = group.get("fts") if isinstance(group, h5py.Group) else group
    if not isinstance(values, h5py.Dataset) or values.ndim != 2 or values.dtype.kind not in FLOATS:
        raise SampleError(f"{path} holds no fts of this sample, numbers (frames, values)")
    return values


def _check_length(path: Path, sample: str, rows: int) -> None:
    """Compare with the video's length that the published layout stores beside its targets."""
    targets = path.parent.parent / "targets" / f"{path.name.split('_')[0]}_valid_targets.h5"
    if path.parent.name != "features" or not targets.is_file():
        return
    with h5py.File(targets, "r") as file:
        length = file.get(f"{sample}/length")
        if length is not None and int(np.asarray(length[()]).item()) != rows:
            raise SampleError(f"{path} has {rows} rows, {targets} says {length[()]}")

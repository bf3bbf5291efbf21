"""Import features from a user's files (npy, csv, Parquet, HDF5), with one row per video frame.

Rows are streamed, so that memory does not grow with the length of a video. A problem with a
sample's file fails that sample, and the message names the file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.features.imports.csv_file import open_csv
from circumplex.features.imports.feature_file import FeatureFile, Rows, check_times
from circumplex.features.imports.hdf5_file import open_hdf5_feature
from circumplex.features.imports.npy_file import open_npy
from circumplex.features.imports.parquet_file import open_parquet
from circumplex.features.imports.sources import HDF5, missing_source, source_files
from circumplex.io.parquet import TableWriter, frame_schema, read_columns, vector_field


def open_feature(
    root: Path, feature: str, sample: str, dimension: int | None = None
) -> FeatureFile:
    """Find and open a sample's feature.

    Args:
        root: what the config names under ``import``.
        feature: the project's name of it.
        sample: name.
        dimension: values that each row must have; none if only the rows are to be counted.

    Raises:
        SampleError: no file that holds the sample, two of them, one that cannot be read, or one
            whose rows have another dimension.
    """
    files = source_files(root, feature, sample)
    if not files:
        raise SampleError(missing_source(root, feature, sample))
    if len(files) > 1 and files[0].suffix not in HDF5:
        raise SampleError(f"{' and '.join(map(str, files))} hold the same sample: remove one")
    match files[0].suffix:
        case ".npy":
            found = open_npy(files[0])
        case ".csv":
            found = open_csv(files[0], sample)
        case ".parquet":
            of_all = files[0] == root
            found = open_parquet(files[0], feature, sample, dimension, of_all=of_all)
        case suffix if suffix in HDF5:
            found = open_hdf5_feature(files, sample)
        case _:
            raise SampleError(
                f"{files[0]}: features are read from .npy, .csv, .parquet and .h5 files"
            )
    if dimension is not None and found.rows and found.dimension not in (None, dimension):
        raise SampleError(_misfit(found.path, feature, found.dimension, dimension))
    return found


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
            frames, another dimension, key columns of another sample or other frames, or a value
            that is no finite number.
    """
    source = open_feature(root, feature, sample, dimension)
    (time_s,) = read_columns(timeline, ["time_s"])
    if source.rows != len(time_s):
        raise SampleError(
            f"{source.path} has {source.rows} rows of {feature} for {len(time_s)} video frames; "
            "write one row per frame"
        )
    schema = frame_schema(vector_field(feature, dimension))
    start = 0
    with TableWriter(output, schema, metadata) as table:
        for block in source.blocks():
            stop = start + len(block.values)
            if stop > source.rows:
                break
            if block.time_s is not None:
                check_times(source.path, start, block.time_s, time_s)
            values = finite_values(source.path, feature, dimension, start, block)
            frame = np.arange(start, stop, dtype=np.int32)
            table.write(**{"frame": frame, "time_s": time_s[start:stop], feature: values})
            start = stop
        if start != source.rows:
            raise SampleError(f"{source.path} changed while it was read")


def finite_values(
    path: Path, feature: str, dimension: int, start: int, block: Rows
) -> NDArray[np.float32]:
    """The values of a block as float32, (rows, dimension).

    Raises:
        SampleError: they are of another dimension, or one is not finite.
    """
    if block.values.shape[1] != dimension:
        raise SampleError(_misfit(path, feature, block.values.shape[1], dimension))
    with np.errstate(over="ignore", invalid="ignore"):
        values = block.values.astype(np.float32)
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        row = start + int(np.argmax(wrong))
        raise SampleError(f"{path}: {feature} of frame {row} (from 0) is not a finite number")
    return values


def _misfit(path: Path, feature: str, found: int | None, expected: int) -> str:
    return f"{path} has {found} values per frame, expected {expected} of {feature}"

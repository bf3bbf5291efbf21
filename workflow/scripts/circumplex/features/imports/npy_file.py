"""Features in NumPy's ``.npy``: one array (frames, values)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from circumplex.errors import SampleError
from circumplex.features.imports.feature_file import (
    NUMBERS,
    FeatureFile,
    Rows,
    check_size,
    naming_errors,
    rows_per_block,
)

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_ZIP = b"PK"


def open_npy(path: Path) -> FeatureFile:
    """Open an array; its header is compared with the file's size before anything is read.

    Raises:
        SampleError: it is no array of numbers (frames, values), or the file does not hold all of
            it, or more.
    """
    with naming_errors(path), path.open("rb") as file:
        shape, columns_first, dtype = _read_header(path, file)
        start = file.tell()
        held = path.stat().st_size - start
    if len(shape) != 2 or min(shape) < 0 or dtype.kind not in NUMBERS:
        raise SampleError(
            f"{path} holds {dtype} of shape {shape}, expected numbers (frames, values)"
        )
    rows, dimension = map(int, shape)
    check_size(path, rows)
    expected = rows * dimension * dtype.itemsize
    if held != expected:
        raise SampleError(
            f"{path} cannot be read: after its header it has {held} bytes, an array of shape "
            f"{shape} of {dtype} has {expected}: write it again with numpy.save"
        )

    def blocks() -> Iterator[Rows]:
        if rows == 0 or dimension == 0:
            return
        with naming_errors(path):
            array: Any = np.memmap(
                path, dtype, "r", start, (rows, dimension), order="F" if columns_first else "C"
            )
            step = rows_per_block(dimension)
            for first in range(0, rows, step):
                yield Rows(array[first : first + step])

    return FeatureFile(path, rows, dimension, blocks)


def _read_header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    start = file.read(len(_ZIP))
    file.seek(0)
    if start == _ZIP:
        raise SampleError(
            f"{path} cannot be read: it is a zip file, such as numpy.savez writes: write the one "
            "array with numpy.save"
        )
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise SampleError(f"{path} cannot be read: it is of NumPy's format {version}")
    shape, columns_first, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise SampleError(f"{path} cannot be read: it holds Python objects, expected numbers")
    return shape, columns_first, dtype

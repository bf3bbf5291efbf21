"""Features in HDF5, ``<sample>/fts``: one file of all samples, or those of the published code."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
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
from circumplex.io.hdf5 import find_object, open_hdf5, refuse_incomplete

DATASET = "fts"


def open_hdf5_feature(files: Sequence[Path], sample: str) -> FeatureFile:
    """Open a sample's feature, in whichever of the files holds it.

    Raises:
        SampleError: none or several of them hold it, one cannot be read, or the values do not lie
            whole in the file itself, as numbers (frames, values).
    """
    holding: list[tuple[Path, tuple[int, int]]] = []
    for path in files:
        with naming_errors(path), open_hdf5(path) as file:
            if find_object(file, sample) is not None:
                holding.append((path, _values(path, file, sample).shape))
    if len(holding) != 1:
        named = ", ".join(str(path) for path, _ in holding) or ", ".join(map(str, files))
        raise SampleError(f"{named}: {len(holding)} groups of this sample, expected one")
    ((path, (rows, dimension)),) = holding
    check_size(path, rows)
    _check_length(path, sample, rows)

    def blocks() -> Iterator[Rows]:
        with naming_errors(path), open_hdf5(path) as file:
            values = _values(path, file, sample)
            step = rows_per_block(dimension)
            for start in range(0, rows, step):
                yield Rows(np.asarray(values[start : start + step]))

    return FeatureFile(path, rows, dimension, blocks)


def _values(path: Path, file: h5py.File, sample: str) -> h5py.Dataset:
    found = find_object(file, sample)
    values = find_object(found, DATASET) if isinstance(found, h5py.Group) else found
    if not isinstance(values, h5py.Dataset) or values.ndim != 2 or values.dtype.kind not in NUMBERS:
        raise SampleError(f"{path} holds no {DATASET} of this sample, numbers (frames, values)")
    refuse_incomplete(path, values)
    return values


def _check_length(path: Path, sample: str, rows: int) -> None:
    """Compare with the video's length that the published layout stores beside its targets."""
    targets = path.parent.parent / "targets" / f"{path.name.split('_')[0]}_valid_targets.h5"
    if path.parent.name != "features" or not targets.is_file():
        return
    with naming_errors(targets), open_hdf5(targets) as file:
        found = find_object(file, f"{sample}/length")
        if not isinstance(found, h5py.Dataset):
            return
        refuse_incomplete(targets, found)
        length = int(np.asarray(found[()]).item())
    if length != rows:
        raise SampleError(f"{path} has {rows} rows, {targets} says {length}")

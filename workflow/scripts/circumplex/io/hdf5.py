"""Read HDF5 files whose values lie in the file itself, all of them written.

HDF5 can take values from other files: by virtual datasets, external storage and external links. If
such a file is gone, its values read as zeros; if it changes, nothing shows it; and a file of a
stranger may name any file of the machine. Values that were never written read as zeros too.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
from h5py import h5d, h5l

MOST_LINKS = 16
"""Soft links that are followed from a name to its object."""
MOST_CHUNK_BYTES = 2**28
"""Of a chunk, which is read as a whole."""
ADVICE = "write the values themselves into the file: file.create_dataset(name, data=array)"


class IncompleteFileError(ValueError):
    """Values that do not lie in the file itself, or were not all written; says what to do."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file to read it, without a lock, which some file systems do not have.

    A chunk is kept until all its rows have been read.
    """
    with h5py.File(path, "r", locking=False, rdcc_nbytes=MOST_CHUNK_BYTES) as file:
        yield file


def find_object(group: h5py.Group, name: str) -> Any:
    """The object of a name below a group, or None where there is none.

    Links within the file are followed; none leads out of it.

    Raises:
        IncompleteFileError: an external link, a soft link that leads nowhere, or one that leads
            through more than `MOST_LINKS` others.
    """
    return _follow(group, name, MOST_LINKS)


def _follow(group: h5py.Group, name: str, links_left: int) -> Any:
    node: Any = group.file["/"] if name.startswith("/") else group
    for part in filter(None, name.split("/")):
        key = part.encode("utf-8", "surrogateescape")
        if part == ".":
            continue
        if not isinstance(node, h5py.Group) or not node.id.links.exists(key):
            return None
        kind = node.id.links.get_info(key).type
        if kind == h5l.TYPE_HARD:
            node = node[part]
            continue
        where = f"{node.name.rstrip('/')}/{part}"
        if kind != h5l.TYPE_SOFT:
            raise IncompleteFileError(f"{where} is a link to another file: {ADVICE}")
        target = node.id.links.get_val(key).decode("utf-8", "surrogateescape")
        if links_left == 0:
            raise IncompleteFileError(f"{where} is a link that leads to itself: {ADVICE}")
        node = _follow(node, target, links_left - 1)
        if node is None:
            raise IncompleteFileError(
                f"{where} is a link to {target}, which is not there: {ADVICE}"
            )
    return node


def refuse_incomplete(path: Path, dataset: h5py.Dataset) -> None:
    """Refuse a dataset whose values do not all lie in the file itself.

    HDF5 does not record which rows of a contiguous dataset were written. Those that never were are
    noticed where the file has a hole in their place.

    Args:
        path: of the file.
        dataset: of numbers.

    Raises:
        IncompleteFileError: naming the dataset, what is wrong, and how to write a plain one.
    """
    name = dataset.name
    if dataset.is_virtual:
        raise IncompleteFileError(
            f"{name} is a virtual dataset, whose values lie in other files: {ADVICE}"
        )
    if dataset.external:
        raise IncompleteFileError(
            f"{name} has external storage: its values lie in other files: {ADVICE}"
        )
    if not dataset.size:
        return
    match dataset.id.get_create_plist().get_layout():
        case h5d.COMPACT:
            return
        case h5d.CONTIGUOUS:
            _check_contiguous(path, dataset)
        case h5d.CHUNKED:
            _check_chunks(dataset)
        case layout:
            raise IncompleteFileError(f"{name} has a layout of number {layout}: {ADVICE}")


def _check_contiguous(path: Path, dataset: h5py.Dataset) -> None:
    expected = math.prod(dataset.shape) * dataset.dtype.itemsize
    start = dataset.id.get_offset()
    if start is None or dataset.id.get_storage_size() < expected:
        raise IncompleteFileError(f"{dataset.name} was created but never written: {ADVICE}")
    if start + expected > path.stat().st_size:
        raise IncompleteFileError(
            f"{dataset.name} ends beyond the end of the file, which was cut off: copy it again"
        )
    hole = _first_hole(path, start, start + expected)
    if hole is not None:
        row_bytes = expected // (dataset.shape or (1,))[0]
        raise IncompleteFileError(
            f"{dataset.name} has no values on disk from row {(hole - start) // row_bytes} (from 0) "
            "on, where the file has a hole: it was not written to its end, or the file system "
            "leaves out zeros. If it is whole, write it in chunks: "
            "file.create_dataset(name, data=array, chunks=True)"
        )


def _first_hole(path: Path, start: int, stop: int) -> int | None:
    """Place of the first hole of a file between two places; None where the system knows none."""
    with suppress(OSError), path.open("rb") as file:
        hole = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        return hole if hole < stop else None
    return None


def _check_chunks(dataset: h5py.Dataset) -> None:
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if size > MOST_CHUNK_BYTES:
        raise IncompleteFileError(
            f"{dataset.name} has chunks of {size} bytes, more than {MOST_CHUNK_BYTES}: write it in "
            "smaller ones, chunks=True"
        )
    expected = math.prod(
        -(-length // chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True)
    )
    written = dataset.id.get_num_chunks()
    if written != expected:
        raise IncompleteFileError(
            f"{dataset.name} has {written} of its {expected} chunks: it was not written to its "
            f"end; {ADVICE}"
        )

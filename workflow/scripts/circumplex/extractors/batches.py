"""Extraction of many samples in one stream: a reading thread, full batches, tables in order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.store import Problem, Task
from circumplex.streams import Batcher, prefetch

PIECES_AHEAD = 4
NOTHING = np.empty(0)


class BatchExtractor(Protocol):
    """Embeds items, one by one, in batches of one size.

    Attributes:
        name: of the feature, and of its column.
        dimension: values an item.
        batch_size: items a batch; fixed, so that an item has the same bits in any batch.
    """

    name: str
    dimension: int
    batch_size: int

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """(batch_size, ...) inputs to (batch_size, dimension) features."""
        ...


@dataclass(frozen=True)
class Piece:
    """Part of a sample; its last one has neither rows nor a problem."""

    task: Task
    rows: Any = None
    problem: Problem | None = None


Read = Callable[[Task], Iterator[tuple[Any, NDArray[Any]]]]
"""Gives a sample's rows in pieces, each with the inputs to embed for it."""

Write = Callable[[Task, Iterator[tuple[Any, NDArray[np.float32]]]], None]
"""Writes a sample's table from the same rows, each with the features of its inputs."""


def extract_in_batches(
    tasks: Sequence[Task], extractor: BatchExtractor, read: Read, write: Write
) -> Iterator[tuple[Task, Problem | None]]:
    """Make the tables of many samples; each task is given back when its table stands or failed.

    Reading runs ahead in a thread of its own while the network computes, and batches are filled
    across samples. Memory depends on neither the samples' length nor their number.

    Args:
        tasks: the stale samples.
        extractor: of the feature.
        read: a sample's inputs; runs in the thread. `SampleError` and `ModalityAbsent` end the
            sample, not the job.
        write: a sample's table.
    """
    batcher = Batcher(extractor.embed, extractor.batch_size, extractor.dimension)
    pieces = batcher.stream(prefetch(_pieces(tasks, read), PIECES_AHEAD))
    by_sample = groupby(pieces, key=lambda pair: pair[0].task.output)
    for task, (_, own) in zip(tasks, by_sample, strict=True):
        try:
            write(task, _rows(own))
        except (SampleError, ModalityAbsent) as problem:
            yield task, problem
        else:
            yield task, None


def _pieces(tasks: Sequence[Task], read: Read) -> Iterator[tuple[Piece, NDArray[Any]]]:
    for task in tasks:
        try:
            for rows, inputs in read(task):
                yield Piece(task, rows), inputs
        except (SampleError, ModalityAbsent) as problem:
            yield Piece(task, problem=problem), NOTHING
        else:
            yield Piece(task), NOTHING


def _rows(
    pieces: Iterator[tuple[Piece, NDArray[np.float32]]],
) -> Iterator[tuple[Any, NDArray[np.float32]]]:
    for piece, values in pieces:
        if piece.problem is not None:
            raise piece.problem
        if piece.rows is None:
            return  # not a piece further: that would be the next sample's
        yield piece.rows, values

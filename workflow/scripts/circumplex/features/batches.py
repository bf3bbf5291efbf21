"""Extract many samples in one stream: a reading thread, full batches, and tables in order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.prefetch import Batcher, prefetch

PIECES_AHEAD = 4
NOTHING = np.empty(0)


class BatchExtractor(Protocol):
    """Extractor that embeds independent items in batches of one size.

    Attributes:
        name: name of the feature and of its column.
        dimension: values per item.
        batch_size: items per batch; fixed, so that an item has the same bits in any batch.
    """

    name: str
    dimension: int
    batch_size: int

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """(batch_size, ...) inputs to (batch_size, dimension) features."""
        ...


Item = TypeVar("Item")
"""A sample to extract, in whatever form the caller has it."""

Problem = SampleError | ModalityAbsent
"""Why a sample has no table."""

Read = Callable[[Item], Iterator[tuple[Any, NDArray[Any]]]]
"""Gives a sample's rows in pieces, each with the inputs to embed for it."""

Write = Callable[[Item, Iterator[tuple[Any, NDArray[np.float32]]]], None]
"""Writes a sample's table from the same rows, each with the features of its inputs."""


@dataclass(frozen=True)
class Piece:
    """Part of a sample; its last one has neither rows nor a problem.

    Attributes:
        sample: position of the sample.
        rows: of the table; none in the last piece.
        problem: why the sample cannot be read.
    """

    sample: int
    rows: Any = None
    problem: Problem | None = None


def extract_in_batches(
    items: Sequence[Item], extractor: BatchExtractor, read: Read[Item], write: Write[Item]
) -> Iterator[tuple[Item, Problem | None]]:
    """Write the tables of many samples; yield each one when its table is written or has failed.

    Reading runs ahead in a thread of its own while the network computes, and batches are filled
    across samples. Memory depends on neither the samples' length nor their number.

    Args:
        items: the samples.
        extractor: of the feature.
        read: a sample's inputs; runs in the thread. `SampleError` and `ModalityAbsent` end the
            sample, not the job.
        write: a sample's table.
    """
    batcher = Batcher(extractor.embed, extractor.batch_size, extractor.dimension)
    pieces = batcher.stream(prefetch(_pieces(items, read), PIECES_AHEAD))
    by_sample = groupby(pieces, key=lambda pair: pair[0].sample)
    for item, (_, own) in zip(items, by_sample, strict=True):
        try:
            write(item, _rows(own))
        except (SampleError, ModalityAbsent) as problem:
            yield item, problem
        else:
            yield item, None


def _pieces(items: Sequence[Item], read: Read[Item]) -> Iterator[tuple[Piece, NDArray[Any]]]:
    for sample, item in enumerate(items):
        try:
            for rows, inputs in read(item):
                yield Piece(sample, rows), inputs
        except (SampleError, ModalityAbsent) as problem:
            yield Piece(sample, problem=problem), NOTHING
        else:
            yield Piece(sample), NOTHING


def _rows(
    pieces: Iterator[tuple[Piece, NDArray[np.float32]]],
) -> Iterator[tuple[Any, NDArray[np.float32]]]:
    for piece, values in pieces:
        if piece.problem is not None:
            raise piece.problem
        if piece.rows is None:
            return  # the next piece belongs to the next sample
        yield piece.rows, values

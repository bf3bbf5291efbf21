"""Work ahead of the network and batches of one shape, over the items of many samples."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Label = TypeVar("Label")
PIECES_AT_ONCE = 64


def prefetch(items: Iterable[Item], ahead: int) -> Iterator[Item]:
    """The same items in order, up to ``ahead`` of them made in a thread before they are asked for.

    An error of ``items`` comes where its item would have.
    """
    end: Any = object()
    iterator = iter(items)
    worker = ThreadPoolExecutor(max_workers=1)
    try:
        pending = deque(worker.submit(next, iterator, end) for _ in range(ahead))
        while (item := pending.popleft().result()) is not end:
            pending.append(worker.submit(next, iterator, end))
            yield item
    finally:
        worker.shutdown(wait=True, cancel_futures=True)


class Batcher:
    """Embeds pieces of any number of items in batches of exactly one size, across pieces.

    Args:
        embed: (batch_size, ...) inputs to (batch_size, dimension) values.
        batch_size: items a batch.
        dimension: values an item.
    """

    def __init__(
        self,
        embed: Callable[[NDArray[Any]], NDArray[np.float32]],
        batch_size: int,
        dimension: int,
    ) -> None:
        self._embed = embed
        self._batch_size = batch_size
        self._inputs: list[NDArray[Any]] = []  # fewer than a batch
        self._values = np.empty((0, dimension), np.float32)  # embedded, not yet handed out

    def stream(
        self, pieces: Iterable[tuple[Label, NDArray[Any]]]
    ) -> Iterator[tuple[Label, NDArray[np.float32]]]:
        """The values of each piece's items, in order, each piece as soon as it is complete.

        The last batch is filled up with its last item, and so is one that too many pieces (of few
        or no items) wait for: memory does not grow with their number.
        """
        waiting: deque[tuple[Label, int]] = deque()
        for label, inputs in pieces:
            waiting.append((label, len(inputs)))
            if len(inputs):
                self._push(inputs)
            if len(waiting) > PIECES_AT_ONCE:
                self._flush()
            while waiting and waiting[0][1] <= len(self._values):
                yield self._pop(*waiting.popleft())
        self._flush()
        while waiting:
            yield self._pop(*waiting.popleft())

    def _push(self, inputs: NDArray[Any]) -> None:
        self._inputs.append(inputs)
        count = sum(map(len, self._inputs))
        if count >= self._batch_size:
            joined = np.concatenate(self._inputs)
            full = count - count % self._batch_size
            batches = [joined[k : k + self._batch_size] for k in range(0, full, self._batch_size)]
            self._values = np.concatenate([self._values, *map(self._embed, batches)])
            self._inputs = [joined[full:].copy()]

    def _flush(self) -> None:
        if count := sum(map(len, self._inputs)):
            missing = self._batch_size - count
            self._push(np.repeat(self._inputs[-1][-1:], missing, axis=0))
            self._values = self._values[: len(self._values) - missing]

    def _pop(self, label: Label, count: int) -> tuple[Label, NDArray[np.float32]]:
        values, self._values = self._values[:count], self._values[count:]
        return label, values

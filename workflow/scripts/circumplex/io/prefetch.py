"""Reading ahead in a thread, and batches of a fixed size across the items of many samples."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Label = TypeVar("Label")
PIECES_AT_ONCE = 64


def prefetch(items: Iterable[Item], ahead: int) -> Iterator[Item]:
    """Yield the same items in order, produced in a thread up to ``ahead`` items in advance.

    An error in ``items`` is raised where its item would have been yielded. The thread sees the
    caller's context variables.
    """
    end: Any = object()
    iterator = iter(items)
    context = copy_context()
    worker = ThreadPoolExecutor(max_workers=1)

    def following() -> Any:
        return context.run(next, iterator, end)

    try:
        pending = deque(worker.submit(following) for _ in range(ahead))
        while (item := pending.popleft().result()) is not end:
            pending.append(worker.submit(following))
            yield item
    finally:
        worker.shutdown(wait=True, cancel_futures=True)


class Batcher:
    """Embed pieces of any number of items in batches of exactly one size, across pieces.

    Args:
        embed: function from (batch_size, ...) inputs to (batch_size, dimension) values.
        batch_size: items per batch.
        dimension: values per item.
    """

    def __init__(
        self,
        embed: Callable[[NDArray[Any]], NDArray[np.float32]],
        batch_size: int,
        dimension: int,
    ) -> None:
        self._embed = embed
        self._batch_size = batch_size
        self._inputs: list[NDArray[Any]] = []  # fewer items than a batch
        self._values = np.empty((0, dimension), np.float32)  # embedded, not yet yielded

    def stream(
        self, pieces: Iterable[tuple[Label, NDArray[Any]]]
    ) -> Iterator[tuple[Label, NDArray[np.float32]]]:
        """Yield the values of each piece's items in order, each piece once it is complete.

        The last batch is padded with its last item. So is a batch that more than
        `PIECES_AT_ONCE` pieces (of few or no items) wait for, so that memory stays bounded.
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
            inputs = np.concatenate(self._inputs)
            full = count - count % self._batch_size
            batches = [inputs[k : k + self._batch_size] for k in range(0, full, self._batch_size)]
            self._values = np.concatenate([self._values, *map(self._embed, batches)])
            self._inputs = [inputs[full:].copy()]

    def _flush(self) -> None:
        if count := sum(map(len, self._inputs)):
            missing = self._batch_size - count
            self._push(np.repeat(self._inputs[-1][-1:], missing, axis=0))
            self._values = self._values[: len(self._values) - missing]

    def _pop(self, label: Label, count: int) -> tuple[Label, NDArray[np.float32]]:
        values, self._values = self._values[:count], self._values[count:]
        return label, values

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.io import prefetch as streams
from circumplex.io.prefetch import Batcher, prefetch


def failing_after(items, error):
    yield from items
    raise error


def test_prefetch_gives_the_same_items_in_order():
    assert list(prefetch(iter(range(50)), 3)) == list(range(50))
    assert list(prefetch([], 3)) == []


def test_prefetch_runs_ahead_in_a_thread_and_no_further():
    made = []

    def items():
        for k in range(10):
            made.append((k, threading.current_thread()))
            yield k

    stream = prefetch(items(), 3)
    assert next(stream) == 0
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert [k for k, _ in made] == [0, 1, 2, 3]
    assert threading.current_thread() not in {thread for _, thread in made}
    stream.close()
    assert len(made) == 4
    assert not made[0][1].is_alive(), "a stream that is given up ends its thread"


def test_an_error_comes_where_its_item_would_have():
    stream = prefetch(failing_after([1, 2], KeyError("k")), 5)
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(KeyError):
        next(stream)


class Network:
    def __init__(self, size):
        self.size, self.batches = size, []

    def embed(self, inputs):
        assert len(inputs) == self.size
        self.batches.append(inputs)
        return np.stack([inputs, -inputs], 1).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 9), max_size=12),
    batch_size=st.integers(1, 7),
)
def test_batches_are_full_across_pieces(sizes, batch_size):
    items = np.arange(sum(sizes), dtype=np.float64)
    pieces = np.split(items, np.cumsum(sizes)[:-1]) if sizes else []
    network = Network(batch_size)
    batcher = Batcher(network.embed, batch_size, 2)
    found = list(batcher.stream(enumerate(pieces)))
    assert [label for label, _ in found] == list(range(len(sizes)))
    for (_, values), piece in zip(found, pieces, strict=True):
        assert values.shape == (len(piece), 2)
        assert np.array_equal(values[:, 0], piece)
    assert len(network.batches) == -(-len(items) // batch_size)


def test_pieces_without_items_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(streams, "PIECES_AT_ONCE", 5)
    network = Network(4)
    asked = []

    def pieces():
        for k in range(40):
            asked.append(k)
            yield k, np.ones(int(k == 0))

    for label, values in Batcher(network.embed, 4, 2).stream(pieces()):
        assert len(asked) - label <= 6
        assert len(values) == (label == 0)
    assert len(network.batches) == 1


def test_a_piece_is_handed_out_as_soon_as_it_is_complete():
    network = Network(2)
    drawn = []

    def pieces():
        for k in range(6):
            drawn.append(k)
            yield k, np.ones(1)

    stream = Batcher(network.embed, 2, 2).stream(pieces())
    assert next(stream)[0] == 0
    assert drawn == [0, 1]

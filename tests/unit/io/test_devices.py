import logging
import platform
import re

import numpy as np
import pytest
import torch

from circumplex.errors import JobError
from circumplex.io.devices import (
    bfloat16_products,
    emulates_bfloat16,
    explaining_lack_of_memory,
    in_halves,
    send,
    warn_of_emulated_bfloat16,
)
from places import SCRIPTS

OWN = ("io/devices.py", "pipeline/jobs/gpus.py")
"""Modules that may know of devices; the second chooses one, without PyTorch."""
IDIOMS = re.compile(
    r"torch\.cuda|\.is_cuda|pin_memory\(\)|non_blocking|device\.type|torch\.autocast"
)


@pytest.mark.parametrize(
    ("device", "supported", "expected"),
    [("cpu", False, True), ("cpu", True, False), ("cuda", False, False), ("cuda", True, False)],
)
def test_only_a_cpu_without_the_arithmetic_emulates_it(
    monkeypatch, caplog, device, supported, expected
):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: supported)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert emulates_bfloat16(torch.device(device)) == expected
    with caplog.at_level(logging.WARNING):
        warn_of_emulated_bfloat16(torch.device(device))
    assert ("precision: bfloat16" in caplog.text) == expected


def test_no_other_module_knows_of_devices():
    offenders = [
        f"{path.relative_to(SCRIPTS / 'circumplex')}:{number}"
        for path in sorted((SCRIPTS / "circumplex").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if IDIOMS.search(line) and str(path.relative_to(SCRIPTS / "circumplex")) not in OWN
    ]
    assert offenders == []


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_values_are_sent_as_they_are(kind):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    sent = send(kind(values), "cpu")
    assert sent.device.type == "cpu"
    assert torch.equal(sent, torch.from_numpy(values))


@pytest.mark.parametrize("enabled", [False, True])
def test_products_are_in_bfloat16_where_asked(enabled):
    with bfloat16_products("cpu", enabled):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is (torch.bfloat16 if enabled else torch.float32)


class Card:
    """A device with memory for so many items."""

    def __init__(self, most):
        self.most, self.calls = most, []

    def double(self, items):
        self.calls.append(len(items))
        if len(items) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")
        return [2 * item for item in items]


def test_what_is_too_much_at_once_is_computed_in_halves(caplog):
    card = Card(most=3)
    with caplog.at_level(logging.WARNING):
        assert in_halves(card.double, range(10)) == [2 * k for k in range(10)]
    assert card.calls == [10, 5, 2, 3, 5, 2, 3]
    assert "on 10 items: going on with 5" in caplog.text
    assert in_halves(Card(most=0).double, []) == []


def test_a_lack_of_memory_says_what_to_do():
    with (
        pytest.raises(JobError, match=r"Tried to allocate 2 GiB\.\)\. Lower batch_size; or give"),
        explaining_lack_of_memory("Lower batch_size"),
    ):
        in_halves(Card(most=0).double, [1, 2])

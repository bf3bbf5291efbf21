import logging

import pytest
import torch

from circumplex.networks.bfloat16 import emulates_bfloat16, warn_of_emulated_bfloat16


@pytest.mark.parametrize(
    ("device", "supported", "expected"),
    [("cpu", False, True), ("cpu", True, False), ("cuda", False, False), ("cuda", True, False)],
)
def test_only_a_cpu_without_the_arithmetic_imitates_it(
    monkeypatch, caplog, device, supported, expected
):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    assert emulates_bfloat16(torch.device(device)) == expected
    with caplog.at_level(logging.WARNING):
        warn_of_emulated_bfloat16(torch.device(device))
    assert ("precision: bfloat16" in caplog.text) == expected

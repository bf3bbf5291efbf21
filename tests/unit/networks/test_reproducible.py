import hashlib

import pytest
import torch
from torch.utils import deterministic

from circumplex.networks.reproducible import reproducible, seed_epoch


def test_the_seed_of_an_epoch_is_a_digest_of_seed_phase_and_epoch():
    assert seed_epoch(3, None, 12) == int(hashlib.sha256(b"3/None/12").hexdigest()[:16], 16)
    drawn = seed_epoch(3, 1, 12, size=4)
    assert drawn == int(hashlib.sha256(b"3/1/12").hexdigest()[:8], 16)
    first = torch.rand(4)
    torch.manual_seed(drawn)
    assert torch.equal(torch.rand(4), first)
    others = {
        seed_epoch(*epoch, size=4) for epoch in ((3, 1, 13), (3, 2, 12), (4, 1, 12), (31, 1, 2))
    }
    assert len(others | {drawn}) == 5


@pytest.mark.parametrize(("device", "warn_only"), [("cpu", False), ("cuda", True)])
def test_algorithms_are_deterministic_within_alone(device, warn_only):
    assert not torch.are_deterministic_algorithms_enabled()
    with reproducible(torch.device(device)):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled() == warn_only
        assert not deterministic.fill_uninitialized_memory
    assert deterministic.fill_uninitialized_memory
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()


def test_the_callers_settings_and_random_state_return_even_after_an_error():
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        with pytest.raises(ZeroDivisionError), reproducible(torch.device("cpu")):
            print(seed_epoch(1, 1, 1) // 0)
        assert torch.equal(torch.rand(3), expected)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)

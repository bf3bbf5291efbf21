"""Seeds and deterministic algorithms for training."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_epoch(seed: int, phase: int, epoch: int) -> int:
    """Seed PyTorch for an epoch (dropout; initial weights in phase 0), and the epoch's draws."""
    text = f"{seed}/{phase}/{epoch}".encode()
    drawn = int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
    torch.manual_seed(drawn)
    return drawn


@contextmanager
def reproducible(device: str) -> Iterator[None]:
    """Deterministic algorithms, and the caller's random state left as it was."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        # Off the CPU some kernels have no deterministic form: a warning must do.
        torch.use_deterministic_algorithms(True, warn_only=device != "cpu")
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)

"""What all trainings have in common: seeds, deterministic algorithms, a check of finite values."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils import deterministic

from circumplex.errors import CircumplexError
from circumplex.io.devices import is_cpu


class NonFinite(CircumplexError):
    """A loss, output or weight is NaN or infinite; names samples or images where it can."""


def seed_epoch(*key: int | None, size: int = 8) -> int:
    """Seed PyTorch for an epoch, so that a training that resumes draws what it would have drawn.

    Args:
        key: what the epoch is known by: the seed of the training, and numbers such as those of
            fold, phase and epoch. Initial weights have epoch 0.
        size: bytes of the seed, from 1 to 8.

    Returns:
        the seed, for other generators of the epoch: an integer from 0 to 256**size - 1.
    """
    text = "/".join(map(str, key)).encode()
    seed = int.from_bytes(hashlib.sha256(text).digest()[:size], "big")
    torch.manual_seed(seed)
    return seed


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Use deterministic algorithms, and leave the caller's settings and random state as they were.

    PyTorch would also fill all memory before it is written, which costs a DenseNet's training on a
    CPU a tenth or more of its time and no number.

    Args:
        device: of the computation. Off the CPU some kernels have no deterministic form: PyTorch
            warns of them.
    """
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = deterministic  # whose setting PyTorch declares to no type checker
    fills = memory.fill_uninitialized_memory
    with torch.random.fork_rng():
        torch.use_deterministic_algorithms(True, warn_only=not is_cpu(device))
        memory.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
            memory.fill_uninitialized_memory = fills

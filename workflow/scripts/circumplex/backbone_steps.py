"""What an epoch of a backbone's training needs: its seed, its targets, its optimiser."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from circumplex.backbone_model import Answers
from circumplex.backbone_recipes import Optimiser, Recipe
from circumplex.still_inputs import StillBatch
from circumplex.stills import Stills

NAMED = 3


def images_of(batch: StillBatch, sets: Sequence[Stills]) -> list[str]:
    """Names of a batch's images."""
    pairs = zip(batch.sets.tolist(), batch.rows.tolist(), strict=True)
    return [sets[number].name(row) for number, row in pairs]


def named(images: Sequence[str]) -> str:
    """Some images in words: the first ones by name."""
    rest = len(images) - NAMED
    return ", ".join(images[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def padded(answers: Sequence[Answers]) -> list[Tensor]:
    """Targets of each set, all as wide as the widest; NaN beyond a set's own."""
    width = max(of_set.targets.shape[1] for of_set in answers)
    padded = []
    for of_set in answers:
        missing = ((0, 0), (0, width - of_set.targets.shape[1]))
        values = np.pad(of_set.targets, missing, constant_values=np.nan)
        padded.append(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
    return padded


def optimiser_of(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser, fresh."""
    parameters, rate, decay = model.parameters(), recipe.learning_rate, recipe.weight_decay
    match recipe.optimiser:
        case Optimiser.ADAM:
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
        case Optimiser.ADAMW:
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
        case Optimiser.SGD:
            return torch.optim.SGD(
                parameters, lr=rate, weight_decay=decay, momentum=recipe.momentum
            )


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

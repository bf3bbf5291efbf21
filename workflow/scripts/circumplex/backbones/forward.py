"""Batches of still images through a backbone, in the recipe's arithmetic."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from circumplex.backbones.inputs import StillBatch, StillImages, StillInput, make_loader
from circumplex.backbones.model import make_input
from circumplex.backbones.stills import Stills
from circumplex.config.precision import Precision
from circumplex.config.recipes import Recipe
from circumplex.io.devices import bfloat16_products, is_gpu, send, warn_of_emulated_bfloat16

MOST_NAMES = 3


class ForwardPass:
    """Loads batches of images and computes their logits.

    Args:
        recipe: recipe of the backbone.
        device: device that computes.
        workers: number of processes that load images.

    Attributes:
        device: device that computes.
        input: how the recipe's network takes images.
    """

    def __init__(self, recipe: Recipe, device: torch.device, workers: int) -> None:
        self.device, self._workers = device, workers
        self._half = recipe.precision is Precision.BFLOAT16
        if self._half:
            warn_of_emulated_bfloat16(device)
        self.input: StillInput = make_input(recipe)

    def batches(self, images: StillImages, sampler: Any) -> Iterator[StillBatch]:
        """Load the batches that a sampler draws."""
        yield from make_loader(images, sampler, self._workers, pin_memory=is_gpu(self.device))

    def logits(self, model: nn.Module, batch: StillBatch) -> list[Tensor]:
        """Compute the logits of a batch: for each set's head (images, outputs)."""
        images = self.input.normalise(send(batch.images, self.device))
        with bfloat16_products(self.device, self._half):
            logits: list[Tensor] = model(images.contiguous(memory_format=torch.channels_last))
        return logits


def describe_images(batch: StillBatch, sets: Sequence[Stills]) -> str:
    """Name the first images of a batch, and count the others."""
    pairs = list(zip(batch.sets.tolist(), batch.rows.tolist(), strict=True))
    names = [sets[number].name(row) for number, row in pairs]
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")

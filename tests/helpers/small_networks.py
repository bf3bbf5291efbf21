"""Small networks with each temporal encoder, and features for them."""

from typing import Any

import torch
from torch import Tensor

from circumplex.config.encoders.registry import read_encoder
from circumplex.model.network import Network

SMALL = {"hidden": 16, "heads": 2, "layers": 2, "regressor": [12, 8]}


def small_options(kind: str) -> dict[str, Any]:
    """Options of a small network with the encoder of this name."""
    return {**SMALL, "kind": kind, **({"feed_forward": 24} if "transformer" in kind else {})}


def small_network(
    kind: str = "lstm",
    dimension: int = 5,
    flags: int = 0,
    visual: tuple[int, int] = (3, 1),
    **values: Any,
) -> Network:
    """A small network in evaluation mode, with the same random weights at every call."""
    torch.manual_seed(0)
    return Network(read_encoder({**small_options(kind), **values}), dimension, flags, visual).eval()


def random_features(rows: int, frames: int, dimension: int = 5, seed: int = 1) -> Tensor:
    """Normally distributed features (rows, frames, dimension)."""
    return torch.randn(rows, frames, dimension, generator=torch.Generator().manual_seed(seed))

"""What every temporal encoder has in common."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""What an encoder carries from a segment to the next one: tensors (layers, rows, hidden)."""


class TemporalEncoder(nn.Module, ABC):
    """From fused frames to hidden frames, over one segment a row.

    Attributes:
        stateful: state is carried from segment to segment, so videos are walked in order.
        clipped_with_fusion: gradients are clipped together with the fusion's, as one of the
            published code's sub-networks.
    """

    stateful: ClassVar[bool]
    clipped_with_fusion: ClassVar[bool]

    @abstractmethod
    def forward(
        self, fused: Tensor, padding: Tensor | None, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Encode.

        Args:
            fused: (rows, frames, hidden).
            padding: (rows, frames) true after a segment's end; none where nothing is padded.
            state: from the segment before, none at a video's start.

        Returns:
            (rows, frames, hidden), and the state to carry on.
        """


def sinusoids(length: int, dimension: int) -> Tensor:
    """Positional encoding of Vaswani et al. (2017): (length, dimension), sines at even places."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    even = torch.arange(0, dimension, 2, dtype=torch.float64)
    angle = position * torch.exp(even * (-math.log(10_000.0) / dimension))
    table = torch.zeros(length, dimension, dtype=torch.float64)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle[:, : dimension // 2])
    return table.float()

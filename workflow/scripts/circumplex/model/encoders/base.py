"""What all temporal encoders have in common."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""What an encoder carries from a segment to the next one: tensors (layers, rows, hidden)."""


class TemporalEncoder(nn.Module, ABC):
    """Encodes fused frames as hidden frames; each row of a batch holds one segment.

    The class of each encoder is called ``Encoder``, is defined in the module of the encoder's name,
    and is built from the encoder's options. Whether it carries a state from segment to segment, its
    options say.

    Attributes:
        clipped_with_fusion: whether gradients are clipped together with the fusion's, as one of the
            published code's sub-networks.
    """

    clipped_with_fusion: ClassVar[bool] = False

    @abstractmethod
    def forward(
        self, fused: Tensor, padding: Tensor | None, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Encode segments.

        Args:
            fused: (rows, frames, hidden) fused features.
            padding: (rows, frames) true after a segment's end; none where nothing is padded.
            state: the state after the segment before; none at a video's start, and for encoders
                that carry none.

        Returns:
            (rows, frames, hidden) hidden frames, and the state to carry on, if any.
        """


def sinusoids(length: int, dimension: int) -> Tensor:
    """Compute the positional encoding of Vaswani et al. (2017).

    Returns:
        (length, dimension) float32, sines in the even columns and cosines in the odd ones.
    """
    position = torch.arange(length, dtype=torch.float64)[:, None]
    even = torch.arange(0, dimension, 2, dtype=torch.float64)
    angle = position * torch.exp(even * (-math.log(10_000.0) / dimension))
    table = torch.zeros(length, dimension, dtype=torch.float64)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle[:, : dimension // 2])
    return table.float()

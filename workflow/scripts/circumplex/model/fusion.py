"""Fusion of the features of a frame into one vector (section 3.3, eq. 1), and an alternative."""

import torch
from torch import Tensor, nn

from circumplex.errors import RequestError


class Concatenation(nn.Linear):
    """All features side by side, and one linear layer (eq. 1)."""

    def forward(
        self,
        input: Tensor,
        padding: Tensor | None = None,  # noqa: ARG002 - part of the interface
        absent: Tensor | None = None,  # noqa: ARG002 - part of the interface
    ) -> Tensor:
        """Fuse (rows, frames, dimension) features as (rows, frames, hidden)."""
        return super().forward(input)


class CrossModalAttention(nn.Module):
    """Picture and sound each attend to the other over the segment's frames; not in the paper.

    After Tsai et al., Multimodal Transformer for Unaligned Multimodal Language Sequences (2019):
    queries of one modality, keys and values of the other, added to the first; here once, and both
    then go through one linear layer as in eq. 1. A modality that a frame lacks adds nothing to the
    other one, if flags mark it as absent; else its zeros are values as any other.

    Args:
        visual: dimension and number of the visual features.
        both: dimension of all features, and number of flags (none, or one a feature).
        hidden: width.
        heads: number of attention heads.

    Raises:
        RequestError: a modality without features.
    """

    def __init__(
        self, visual: tuple[int, int], both: tuple[int, int], hidden: int, heads: int
    ) -> None:
        super().__init__()
        self._visual, (dimension, flags) = visual, both
        if not 0 < visual[0] < dimension:
            raise RequestError("fusion cross_attention needs visual and audio features")
        self.picture = nn.Linear(visual[0], hidden)
        self.sound = nn.Linear(dimension - visual[0], hidden)
        self.to_sound = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.to_picture = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.join = nn.Linear(2 * hidden, hidden)
        self._flagged = flags > 0

    def forward(
        self, values: Tensor, padding: Tensor | None = None, absent: Tensor | None = None
    ) -> Tensor:
        """Fuse the features of each frame.

        Args:
            values: (rows, frames, dimension), visual features first.
            padding: (rows, frames) true after a segment's end, or none.
            absent: (rows, frames, flags) 1 where a feature is absent.

        Returns:
            (rows, frames, hidden).
        """
        dimension, count = self._visual
        picture, sound = self.picture(values[..., :dimension]), self.sound(values[..., dimension:])
        nothing = values.new_zeros(values.shape[:2], dtype=torch.bool)
        unseen = nothing if padding is None else padding
        no_picture, no_sound = unseen, unseen
        if self._flagged and absent is not None:
            no_picture = unseen | absent[..., :count].bool().all(dim=-1)
            no_sound = unseen | absent[..., count:].bool().all(dim=-1)
        heard = _attend(self.to_sound, picture, sound, no_sound)
        seen = _attend(self.to_picture, sound, picture, no_picture)
        joined: Tensor = self.join(torch.cat([picture + heard, sound + seen], dim=-1))
        return joined


def _attend(attention: nn.MultiheadAttention, queries: Tensor, keys: Tensor, out: Tensor) -> Tensor:
    """Attention to the frames that are not ``out``; zeros for rows where all are."""
    none_left = out.all(dim=1)
    # A softmax over nothing is NaN: such rows attend to all, and the result is dropped.
    mask = out & ~none_left[:, None]
    attended, _ = attention(queries, keys, keys, key_padding_mask=mask, need_weights=False)
    result: Tensor = attended.masked_fill(none_left[:, None, None], 0.0)
    return result

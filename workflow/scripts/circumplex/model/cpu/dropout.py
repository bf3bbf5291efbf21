"""Dropout that costs little on a CPU.

PyTorch draws a CPU's masks one number at a time, on one thread: a sixth of a Transformer's training
step in bfloat16. Here a mask is drawn as raw bits, 16 per element, from one seed that PyTorch's
generator gives, so that `torch.manual_seed` decides it, whatever the number of threads.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from circumplex.io.devices import is_cpu

_STEPS = 1 << 16
_SEEDS = 1 << 62


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` that uses the faster `dropout` below on a CPU."""

    def forward(self, values: Tensor) -> Tensor:
        """Drop elements of values in training; outside of it, return them unchanged."""
        return dropout(values, self.p) if self.training else values


def dropout(values: Tensor, rate: float) -> Tensor:
    """Set elements to 0 and scale the others so that the mean is kept.

    Args:
        values: any shape.
        rate: share of the elements that become 0, in [0, 1), rounded to 1/65536.
    """
    if not rate:
        return values
    if not is_cpu(values.device):
        return functional.dropout(values, rate)
    return values * _mask(values.shape, rate, values.dtype)


def _mask(shape: Sequence[int], rate: float, dtype: torch.dtype) -> Tensor:
    """0 where dropped, 1 / (1 - rate) elsewhere."""
    count, dropped = math.prod(shape), round(rate * _STEPS)
    draw = np.random.SFC64(int(torch.randint(_SEEDS, ())))
    bits = draw.random_raw(-(-count // 4)).view(np.int16)[:count]
    kept = torch.from_numpy(bits).view(torch.Size(shape)) >= dropped - _STEPS // 2
    return kept.to(dtype).mul_(_STEPS / (_STEPS - dropped))


class EncoderLayer(nn.TransformerEncoderLayer):
    """`torch.nn.TransformerEncoderLayer` with `dropout` where a CPU trains: post-norm, ReLU."""

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Encode (rows, frames, width); padding (rows, frames) is true where nothing may look."""
        plain = src_mask is not None or is_causal or not is_cpu(src.device)
        if plain or not self.training:
            encoded: Tensor = super().forward(src, src_mask, src_key_padding_mask, is_causal)
            return encoded
        rate = self.dropout.p
        attended = _attention(self.self_attn, src, src_key_padding_mask)
        src = self.norm1(src + dropout(attended, rate))
        inner = dropout(functional.relu(self.linear1(src)), rate)
        out: Tensor = self.norm2(src + dropout(self.linear2(inner), rate))
        return out


def _attention(module: nn.MultiheadAttention, values: Tensor, padding: Tensor | None) -> Tensor:
    """Self-attention, dropout on its weights."""
    rows, frames, width = values.shape
    joint = functional.linear(values, module.in_proj_weight, module.in_proj_bias)
    # 3 x (rows, heads, frames, width of a head)
    query, key, value = joint.view(rows, frames, 3, module.num_heads, -1).permute(2, 0, 3, 1, 4)
    scores = (query * module.head_dim**-0.5) @ key.transpose(-2, -1)
    if padding is not None:
        scores = scores.masked_fill(padding[:, None, None], -math.inf)
    weights = dropout(torch.softmax(scores, dim=-1), module.dropout)
    attended = (weights @ value).transpose(1, 2).reshape(rows, frames, width)
    out: Tensor = module.out_proj(attended)
    return out

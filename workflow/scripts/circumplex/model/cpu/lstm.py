"""An LSTM layer for training in bfloat16 on a CPU, where PyTorch's own backward pass is slow.

oneDNN's takes as long in bfloat16 as in float32, which is most of a training step. Here the
products are bfloat16, the products with the inputs and the weights' gradients one each for all
frames; gates and cell states are float32.
"""

from typing import Any

import torch
from torch import Tensor, nn

_BF16 = torch.bfloat16


def bfloat16_lstm(
    module: nn.LSTM, values: Tensor, state: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """What ``module(values, state)`` gives, computed as above.

    Args:
        module: one direction, batch first, with biases and no dropout.
        values: (rows, frames, inputs).
        state: h and c, each (layers, rows, hidden); none for zeros.

    Returns:
        (rows, frames, hidden) bfloat16, and (h, c) in float32.
    """
    if state is None:
        shape = (module.num_layers, len(values), module.hidden_size)
        state = (values.new_zeros(shape, dtype=torch.float32),) * 2
    walked, last_h, last_c = values.transpose(0, 1), [], []  # frames first
    for layer in range(module.num_layers):
        to_gates, from_hidden, bias, other_bias = module.all_weights[layer]
        start = (state[0][layer], state[1][layer])
        walked, h, c = _Layer.apply(walked, to_gates, from_hidden, bias + other_bias, *start)
        last_h.append(h)
        last_c.append(c)
    return walked.transpose(0, 1), (torch.stack(last_h), torch.stack(last_c))


class _Layer(torch.autograd.Function):
    """One layer over all frames; gates in PyTorch's order: input, forget, cell, output."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,  # (frames, rows, inputs)
        to_gates: Tensor,  # (4 hidden, inputs)
        from_hidden: Tensor,  # (4 hidden, hidden)
        bias: Tensor,
        h: Tensor,  # (rows, hidden)
        c: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        frames, rows, _ = values.shape
        size = from_hidden.shape[1]
        inputs = values.to(_BF16).reshape(frames * rows, -1)
        to_gates, from_hidden = to_gates.to(_BF16), from_hidden.to(_BF16)
        gates = (inputs @ to_gates.t()).float().add_(bias).view(frames, rows, 4 * size)
        hidden = torch.empty(frames + 1, rows, size, dtype=_BF16)
        cells, bent = torch.empty(frames + 1, rows, size), torch.empty(frames, rows, size)
        hidden[0], cells[0] = h, c
        for t in range(frames):
            gate = gates[t].add_(hidden[t] @ from_hidden.t())
            gate[:, : 2 * size].sigmoid_()
            gate[:, 2 * size : 3 * size].tanh_()
            gate[:, 3 * size :].sigmoid_()
            i, f, g, o = gate.chunk(4, dim=1)
            torch.addcmul(f * cells[t], i, g, out=cells[t + 1])
            torch.tanh(cells[t + 1], out=bent[t])
            hidden[t + 1] = o * bent[t]
        ctx.save_for_backward(inputs, to_gates, from_hidden, gates, hidden, cells, bent)
        ctx.dtype = values.dtype
        return hidden[1:], hidden[frames].float(), cells[frames].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        inputs, to_gates, from_hidden, gates, hidden, cells, bent = ctx.saved_tensors
        frames, rows, size = bent.shape
        outer, dh, dc = gradients[0].float(), gradients[1], gradients[2]
        i, f, g, o = gates.chunk(4, dim=2)
        # What the gradient of c, or of h for the output gate, is multiplied by: all frames at once.
        factor = torch.stack(
            [g * i * (1 - i), cells[:-1] * f * (1 - f), i * (1 - g * g), bent * o * (1 - o)], dim=2
        )
        to_cell = o * (1 - bent * bent)
        changes = torch.empty(frames, rows, 4, size, dtype=_BF16)
        for t in range(frames - 1, -1, -1):
            dh = dh + outer[t]
            dc = torch.addcmul(dc, dh, to_cell[t])
            changes[t, :, :3] = factor[t, :, :3] * dc[:, None]
            changes[t, :, 3] = factor[t, :, 3] * dh
            dh = (changes[t].view(rows, 4 * size) @ from_hidden).float()
            dc = dc * f[t]
        flat = changes.view(frames * rows, 4 * size)
        return (
            (flat @ to_gates).view(frames, rows, -1).to(ctx.dtype),
            (flat.t() @ inputs).float(),
            (flat.t() @ hidden[:-1].reshape(frames * rows, size)).float(),
            flat.sum(dim=0, dtype=torch.float32),
            dh,
            dc,
        )

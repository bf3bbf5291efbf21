import pytest
import torch
from torch import nn

from circumplex.model.cpu.lstm import bfloat16_lstm


def relative(one, other):
    one, other = one.detach().float(), other.detach()
    return float((one - other).norm() / other.norm().clamp_min(1e-6))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("frames", [1, 40])
@pytest.mark.parametrize("given", [False, True])
def test_values_states_and_gradients_are_those_of_pytorchs_layer(layers, frames, given):
    torch.manual_seed(layers)
    module = nn.LSTM(24, 32, layers, batch_first=True)
    values = torch.randn(5, frames, 24)
    weights = torch.randn(5, frames, 32), torch.randn(2, layers, 5, 32)
    results = []
    for compute in (bfloat16_lstm, lambda lstm, x, state: lstm(x, state)):
        module.zero_grad()
        entered = values.clone().requires_grad_()
        state = tuple(
            torch.full((layers, 5, 32), value, requires_grad=True) for value in (0.3, -0.8)
        )
        out, last = compute(module, entered, state if given else None)
        assert out.shape == (5, frames, 32)
        assert [part.shape for part in last] == [(layers, 5, 32)] * 2
        loss = (out.float() * weights[0]).sum()
        loss = loss + sum((a * b).sum() for a, b in zip(last, weights[1], strict=True))
        loss.backward()
        gradients = [entered.grad, *(p.grad.clone() for p in module.parameters())]
        gradients += [part.grad for part in state] if given else []
        results.append([out, *last, *gradients])
    for mine, other in zip(*results, strict=True):
        assert relative(mine, other) < 0.02  # bfloat16 has 8 bits: 0.4% a rounding


def test_input_and_gradient_may_be_bfloat16_as_under_autocast():
    module = nn.LSTM(8, 16, batch_first=True)
    values = torch.randn(3, 10, 8).bfloat16().requires_grad_()
    out, (h, c) = bfloat16_lstm(module, values, None)
    assert (out.dtype, h.dtype, c.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    out.sum().backward()
    assert values.grad.dtype == torch.bfloat16
    assert {p.grad.dtype for p in module.parameters()} == {torch.float32}


def test_a_video_cut_in_segments_is_the_whole_video():
    module = nn.LSTM(8, 16, batch_first=True)
    values = torch.randn(2, 30, 8)
    whole, (h, c) = bfloat16_lstm(module, values, None)
    state, parts = None, []
    for start in (0, 10, 20):
        part, state = bfloat16_lstm(module, values[:, start : start + 10], state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=0.01, rtol=0.02)
    torch.testing.assert_close(state[1], c, atol=0.01, rtol=0.02)
    torch.testing.assert_close(state[0], h, atol=0.01, rtol=0.02)


def test_it_repeats_to_the_bit():
    torch.manual_seed(3)
    module, values = nn.LSTM(8, 16, batch_first=True), torch.randn(2, 30, 8)
    gradients = []
    for _ in range(2):
        module.zero_grad()
        bfloat16_lstm(module, values, None)[0].sum().backward()
        gradients.append([p.grad.clone() for p in module.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)

import pytest
import torch
from torch import nn

from circumplex.model.cpu.dropout import Dropout, EncoderLayer, dropout


def test_elements_are_dropped_at_the_rate_and_the_mean_is_kept():
    torch.manual_seed(0)
    for rate in (0.1, 0.3, 0.5):
        values = dropout(torch.ones(200_001), rate)
        share = float((values == 0).float().mean())
        assert share == pytest.approx(rate, abs=5 * (rate * (1 - rate) / 200_001) ** 0.5)
        assert torch.unique(values).tolist() == pytest.approx([0, 1 / (1 - rate)], abs=1e-4)


def test_neighbours_in_any_direction_are_dropped_independently():
    torch.manual_seed(1)
    kept = (dropout(torch.ones(500, 401), 0.5) > 0).float() - 0.5
    for shift in [(1, 0), (0, 1), (1, 1), (0, 2), (0, 4), (3, 0)]:
        moved = kept[shift[0] :, shift[1] :]
        product = kept[: len(moved), : moved.shape[1]] * moved
        assert abs(float(product.mean())) < 5 * 0.25 / product.numel() ** 0.5


def test_the_generators_seed_decides_and_threads_do_not():
    threads = torch.get_num_threads()
    masks = []
    for seed, count in ((3, 1), (3, 2), (4, 1)):
        torch.set_num_threads(count)
        torch.manual_seed(seed)
        masks.append([dropout(torch.ones(300, 301), 0.3) for _ in range(2)])
    torch.set_num_threads(threads)
    assert torch.equal(masks[0][0], masks[1][0])
    assert torch.equal(masks[0][1], masks[1][1])
    assert not torch.equal(masks[0][0], masks[0][1])
    assert not torch.equal(masks[0][0], masks[2][0])


def test_gradients_pass_where_values_do():
    values = torch.randn(40, 30, requires_grad=True)
    dropped = dropout(values, 0.3)
    dropped.sum().backward()
    torch.testing.assert_close(values.grad * values.detach(), dropped.detach())


@pytest.mark.parametrize("shape", [(), (1,), (0, 5), (3, 1, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_shape_keeps_shape_and_type(shape, dtype):
    dropped = dropout(torch.ones(shape, dtype=dtype), 0.1)
    assert (dropped.shape, dropped.dtype) == (torch.Size(shape), dtype)


def test_nothing_is_dropped_outside_of_training_or_at_rate_0():
    values = torch.randn(50, 20)
    assert Dropout(0.3).eval()(values) is values
    assert Dropout(0.0).train()(values) is values


def layers(rate):
    torch.manual_seed(5)
    ours = EncoderLayer(16, 4, 32, dropout=rate, batch_first=True)
    theirs = nn.TransformerEncoderLayer(16, 4, 32, dropout=rate, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("padded", [False, True])
def test_without_dropout_it_is_pytorchs_layer(padded):
    ours, theirs = (layer.train() for layer in layers(0.0))
    values = torch.randn(3, 9, 16)
    padding = torch.arange(9) >= torch.tensor([[9], [4], [1]]) if padded else None
    results = []
    for layer in (ours, theirs):
        entered = values.clone().requires_grad_()
        left = layer(entered, src_key_padding_mask=padding)
        (left * torch.arange(16)).sum().backward()
        results.append([left, entered.grad, *(p.grad for p in layer.parameters())])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, atol=2e-4, rtol=1e-4)


def test_in_training_all_four_places_drop_as_pytorchs_layer_does():
    """Over many draws the outputs have the mean and the spread of PyTorch's layer."""
    ours, theirs = (layer.train() for layer in layers(0.3))
    values = torch.randn(1, 6, 16).expand(4000, -1, -1)
    with torch.no_grad():
        mine, other = ours(values), theirs(values)
    error = 6 * other.std(dim=0) / 4000**0.5
    assert ((mine.mean(dim=0) - other.mean(dim=0)).abs() < error).all()
    torch.testing.assert_close(mine.std(dim=0), other.std(dim=0), rtol=0.12, atol=0)


def test_outside_of_training_it_is_pytorchs_layer_bit_for_bit():
    ours, theirs = (layer.eval() for layer in layers(0.3))
    values = torch.randn(2, 7, 16)
    with torch.inference_mode():
        assert torch.equal(ours(values), theirs(values))

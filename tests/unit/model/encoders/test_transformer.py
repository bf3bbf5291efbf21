import torch

from small_networks import random_features, small_network


def test_without_a_mask_padding_is_attended_to():
    model, x = small_network(kind="transformer", mask_padding=False), random_features(1, 9)
    padding = torch.zeros(1, 9, dtype=torch.bool)
    padding[0, 6:] = True
    assert not torch.allclose(model(x, padding)[0][:, :6], model(x[:, :6])[0], atol=1e-4)


def test_positions():
    plain = small_network(kind="transformer")
    placed = small_network(kind="transformer", positions="sinusoidal")
    x = random_features(1, 8)
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    # Without positions attention does not know the order of frames; with them it does.
    torch.testing.assert_close(plain(x[:, order])[0], plain(x)[0][:, order], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(placed(x[:, order])[0], placed(x)[0][:, order], atol=1e-4)
    assert placed.state_dict().keys() == plain.state_dict().keys()


def test_transformer_layers_start_out_different():
    first, second = small_network(kind="transformer", layers=2).encoder.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)
    assert not torch.equal(first.self_attn.in_proj_weight, second.self_attn.in_proj_weight)


def test_one_layer_against_its_equations():
    """Vaswani et al., post-norm: attention and a ReLU network, each added and normalised."""
    layer = small_network("transformer", layers=1, heads=1).encoder.layers[0]
    x = random_features(1, 5, dimension=16)[0]

    def norm(values, module):
        centred = values - values.mean(dim=1, keepdim=True)
        scale = torch.sqrt(centred.square().mean(dim=1, keepdim=True) + 1e-5)
        return centred / scale * module.weight + module.bias

    attention = layer.self_attn
    projected = x @ attention.in_proj_weight.T + attention.in_proj_bias
    queries, keys, values = projected.split(16, dim=1)
    mixed = torch.softmax(queries @ keys.T / 4, dim=1) @ values
    first = norm(x + attention.out_proj(mixed), layer.norm1)
    inner = torch.relu(first @ layer.linear1.weight.T + layer.linear1.bias)
    second = norm(first + inner @ layer.linear2.weight.T + layer.linear2.bias, layer.norm2)
    torch.testing.assert_close(layer(x[None])[0], second, atol=1e-5, rtol=1e-4)

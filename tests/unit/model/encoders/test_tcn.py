import pytest
import torch

from circumplex.config.encoders.registry import read_encoder
from circumplex.model.network import Network
from small_networks import random_features, small_network


@pytest.mark.parametrize(("layers", "kernel_size"), [(1, 3), (2, 3), (3, 3), (2, 5), (2, 1)])
def test_receptive_field_of_the_tcn(layers, kernel_size):
    model = small_network("tcn", layers=layers, kernel_size=kernel_size)
    half = 2 * (kernel_size - 1) // 2 * (2**layers - 1)
    assert model.encoder.receptive_field == 2 * half + 1
    x = random_features(1, 4 * half + 5).requires_grad_()
    middle = 2 * half + 2
    with torch.no_grad():  # every path open: no ReLU closes
        for parameter in model.parameters():
            parameter.abs_()
    model(x.abs())[0][0, middle].sum().backward()
    seen = (x.grad[0].abs().sum(dim=1) > 0).nonzero().flatten().tolist()
    assert seen == list(range(middle - half, middle + half + 1))


def test_default_tcn_sees_a_transformers_segment():
    spec = read_encoder({"kind": "tcn", "hidden": 4})
    assert Network(spec, 3).encoder.receptive_field >= spec.segment_length == 250


def test_one_block_by_sums_over_its_kernel():
    encoder = small_network("tcn", layers=1, kernel_size=3).encoder
    fused = random_features(1, 5, dimension=16)
    inner = fused[0]
    for convolution in encoder.blocks[0]:
        padded = torch.cat([torch.zeros(1, 16), inner, torch.zeros(1, 16)])
        sums = [padded[k : k + 5] @ convolution.weight[:, :, k].T for k in range(3)]
        inner = torch.relu(sum(sums) + convolution.bias)
    hidden, state = encoder(fused, None, None)
    assert state is None
    expected = torch.relu(fused[0] + inner)
    torch.testing.assert_close(hidden[0], expected, atol=1e-6, rtol=1e-5)

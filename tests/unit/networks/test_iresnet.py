"""The IResNets against the same arithmetic written out with plain functions."""

import pytest
import torch
import torch.nn.functional as F

from circumplex.networks import iresnet
from networks_by_hand import (
    arcface_shapes,
    iresnet_by_hand,
    unlike_initial,
)


@torch.inference_mode()
def test_iresnet_computes_what_its_units_say() -> None:
    network = iresnet.iresnet18()
    state = unlike_initial(network)
    faces = torch.rand(2, 3, 112, 112) * 2 - 1
    expected = iresnet_by_hand(faces, state, (2, 2, 2, 2))
    torch.testing.assert_close(network(faces), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("factory", "units"),
    [
        (iresnet.iresnet18, (2, 2, 2, 2)),
        (iresnet.iresnet34, (3, 4, 6, 3)),
        (iresnet.iresnet50, (3, 4, 14, 3)),
        (iresnet.iresnet100, (3, 13, 30, 3)),
    ],
)
def test_iresnet_is_named_as_arcface_names_it(factory, units) -> None:
    with torch.device("meta"):
        network = factory()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes == arcface_shapes(units)


def test_iresnet100_has_the_published_size() -> None:
    with torch.device("meta"):
        network = iresnet.iresnet100()
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(65.2, abs=0.05)


@pytest.mark.parametrize("factory", [iresnet.iresnet18, iresnet.iresnet50])
@torch.inference_mode()
def test_untrained_iresnet_keeps_the_scale_and_separates_faces(factory) -> None:
    torch.manual_seed(3)
    network = factory().eval()
    smooth = F.interpolate(torch.rand(4, 3, 7, 7) * 2 - 1, size=112, mode="bilinear")
    embeddings = network(smooth)
    assert 0.2 < embeddings.std() < 5
    assert embeddings.std(0).mean() > 0.1


@torch.inference_mode()
def test_an_iresnet_of_fewer_channels_computes_what_its_units_say() -> None:
    network = iresnet.iresnet18(16)
    state = unlike_initial(network)
    assert [state[f"layer{stage}.0.conv2.weight"].shape[0] for stage in (1, 2, 3, 4)] == [
        *(16, 32, 64, 128)
    ]
    faces = torch.rand(2, 3, 112, 112) * 2 - 1
    expected = iresnet_by_hand(faces, state, (2, 2, 2, 2))
    assert expected.shape == (2, 512)
    torch.testing.assert_close(network(faces), expected, rtol=1e-3, atol=1e-4)

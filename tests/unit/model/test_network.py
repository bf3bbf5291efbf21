import pytest
import torch
from torch import nn

from circumplex.config.encoders.base import Initialisation
from circumplex.config.encoders.registry import (
    encoder_names,
    read_encoder,
)
from circumplex.errors import RequestError
from circumplex.model.network import Network
from small_networks import SMALL, random_features, small_network, small_options


def test_published_sizes():
    lstm, transformer = read_encoder({"kind": "lstm"}), read_encoder({"kind": "transformer"})
    assert (lstm.segment_length, lstm.stride, lstm.hidden, lstm.layers) == (100, 100, 512, 1)
    assert (transformer.segment_length, transformer.hidden, transformer.layers) == (250, 512, 4)
    assert (transformer.heads, transformer.feed_forward, transformer.dropout) == (4, 1024, 0.3)

    def count(module):
        return sum(p.numel() for p in module.parameters())

    d, h = 342 + 768, 512
    model = Network(lstm, d)
    assert count(model.fusion) == d * h + h
    assert count(model.encoder) == 4 * (h * h + h * h + 2 * h)
    assert count(model.regressor) == (h * 512 + 512) + (512 * 256 + 256) + (256 * 2 + 2)
    layer = 4 * (h * h + h) + (h * 1024 + 1024) + (1024 * h + h) + 4 * h
    assert count(Network(transformer, d).encoder) == 4 * layer


def test_options_of_the_published_code():
    model = small_network(
        dimension=256,
        kind="lstm",
        fusion_relu=True,
        fusion_dropout=0.1,
        layers=1,
        initialisation="normal",
        hidden=256,
        regressor=[256],
    )
    linear, relu, dropout = model.fusion
    assert isinstance(relu, nn.ReLU)
    assert dropout.p == 0.1
    assert float(linear.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert torch.all(linear.bias == 0)
    assert [len(group) for group in model.clip_groups()] == [2, 4, 4]
    groups = small_network(kind="transformer").clip_groups()
    assert sum(len(group) for group in groups) == len(
        list(small_network(kind="transformer").parameters())
    )
    assert len(groups) == 2


def test_dropout_places():
    model = small_network(kind="transformer", dropout=0.25, encoder_dropout=0.1)
    assert {m.p for m in model.regressor if isinstance(m, nn.Dropout)} == {0.25}
    assert {m.p for m in model.encoder.modules() if isinstance(m, nn.Dropout)} == {0.1}


def test_no_feature_at_all():
    with pytest.raises(RequestError, match="at least one feature"):
        Network(read_encoder({"kind": "lstm"}), 0)


@pytest.mark.parametrize("initialisation", list(Initialisation))
@pytest.mark.parametrize("kind", encoder_names())
def test_flags_change_no_bit_until_something_is_absent(kind, initialisation):
    spec = read_encoder(
        {**small_options(kind), "fusion_relu": True, "initialisation": initialisation}
    )
    torch.manual_seed(3)
    plain = Network(spec, 5)
    torch.manual_seed(3)
    told = Network(spec, 5, flags=2)
    assert {**told.state_dict()}.keys() - {**plain.state_dict()}.keys() == {"absence"}
    for name, value in plain.state_dict().items():
        assert torch.equal(told.state_dict()[name], value)
    x = random_features(3, 11)
    present = torch.cat([x, torch.zeros(3, 11, 2)], dim=2)
    assert torch.equal(told.eval()(present)[0], plain.eval()(x)[0])
    with torch.no_grad():
        told.absence[:, 1] = 0.5
    assert torch.equal(told(present)[0], plain(x)[0])
    present[1, :, 6] = 1
    changed = told(present)[0] != plain(x)[0]
    assert changed[1].any()
    assert not changed[[0, 2]].any()


def test_flags_are_columns_of_the_fusion_layer():
    """The same as one linear layer on features and flags side by side (eq. 1)."""
    model = Network(read_encoder({**SMALL, "kind": "lstm"}), 5, flags=2).eval()
    nn.init.normal_(model.absence)
    one = Network(read_encoder({**SMALL, "kind": "lstm"}), 7).eval()
    weights = {k: v for k, v in model.state_dict().items() if k != "absence"}
    weights["fusion.0.weight"] = torch.cat([weights["fusion.0.weight"], model.absence], dim=1)
    one.load_state_dict(weights)
    x = torch.cat([random_features(2, 9), torch.ones(2, 9, 2)], dim=2)
    torch.testing.assert_close(model(x)[0], one(x)[0])
    assert model.clip_groups()[-1][0] is model.absence

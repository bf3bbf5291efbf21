import math

import pytest
import torch
from torch import nn

from circumplex.config.encoders.base import Initialisation
from circumplex.config.encoders.registry import (
    encoder_names,
    encoder_values,
    read_encoder,
    read_stored_encoder,
)
from circumplex.config.encoders.transformer import Positions
from circumplex.errors import RequestError
from circumplex.model.encoders.base import sinusoids
from circumplex.model.network import Network, carry

SMALL = {"hidden": 16, "heads": 2, "regressor": [12, 8]}


def small(kind):
    """Options of a small network with the encoder of this name."""
    return {**SMALL, "kind": kind, **({"feed_forward": 24} if "transformer" in kind else {})}


def network(dimension=5, seed=0, kind="lstm", **values):
    torch.manual_seed(seed)
    return Network(read_encoder({**small(kind), **values}), dimension).eval()


def features(rows, frames, dimension=5, seed=1):
    return torch.randn(rows, frames, dimension, generator=torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_in_segments_equals_the_whole_video(kind):
    model, x = network(kind=kind), features(3, 53)
    whole, _ = model(x)
    for length in (1, 7, 53, 60):
        state, parts = None, []
        for start in range(0, 53, length):
            part, state = model(x[:, start : start + length], None, carry(state, 3))
            parts.append(part)
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-6, rtol=1e-5)
    forgetful = torch.cat([model(x[:, :20])[0], model(x[:, 20:])[0]], dim=1)
    assert not torch.allclose(forgetful, whole, atol=1e-4)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_state_is_carried_for_the_rows_that_go_on_and_detached(kind):
    model, x = network(kind=kind), features(3, 20)
    _, state = model(x[:, :10])
    state = carry(state, 2)
    assert all(not tensor.requires_grad for tensor in state)
    rest, _ = model(x[:2, 10:], None, state)
    torch.testing.assert_close(rest, model(x)[0][:2, 10:], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", encoder_names())
def test_padding_changes_nothing(kind):
    model, x = network(kind=kind), features(2, 9)
    padding = torch.zeros(2, 9, dtype=torch.bool)
    padding[1, 6:] = True
    alone, _ = model(x[1:, :6])
    for junk in (0.0, 100.0):
        padded = x.clone()
        padded[1, 6:] = junk
        result, _ = model(padded, padding)
        torch.testing.assert_close(result[1:, :6], alone, atol=1e-5, rtol=1e-4)


def test_without_a_mask_padding_is_attended_to():
    model, x = network(kind="transformer", mask_padding=False), features(1, 9)
    padding = torch.zeros(1, 9, dtype=torch.bool)
    padding[0, 6:] = True
    assert not torch.allclose(model(x, padding)[0][:, :6], model(x[:, :6])[0], atol=1e-4)


def test_positions():
    plain = network(kind="transformer")
    placed = network(kind="transformer", positions="sinusoidal")
    x = features(1, 8)
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    # Without positions attention does not know the order of frames; with them it does.
    torch.testing.assert_close(plain(x[:, order])[0], plain(x)[0][:, order], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(placed(x[:, order])[0], placed(x)[0][:, order], atol=1e-4)
    assert placed.state_dict().keys() == plain.state_dict().keys()


def test_sinusoids():
    table = sinusoids(6, 5)
    for pos in range(6):
        for i in range(5):
            angle = pos / 10_000 ** ((i // 2 * 2) / 5)
            expected = math.cos(angle) if i % 2 else math.sin(angle)
            assert float(table[pos, i]) == pytest.approx(expected, abs=1e-6)


def test_transformer_layers_start_out_different():
    first, second = network(kind="transformer", layers=2).encoder.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)
    assert not torch.equal(first.self_attn.in_proj_weight, second.self_attn.in_proj_weight)


def test_options_of_the_published_code():
    model = network(
        256,
        kind="lstm",
        fusion_relu=True,
        fusion_dropout=0.1,
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
    groups = network(kind="transformer").clip_groups()
    assert sum(len(group) for group in groups) == len(
        list(network(kind="transformer").parameters())
    )
    assert len(groups) == 2


def test_dropout_places():
    model = network(kind="transformer", dropout=0.25, encoder_dropout=0.1)
    assert {m.p for m in model.regressor if isinstance(m, nn.Dropout)} == {0.25}
    assert {m.p for m in model.encoder.modules() if isinstance(m, nn.Dropout)} == {0.1}


@pytest.mark.parametrize("kind", encoder_names())
def test_options_round_trip(kind):
    positions = {"positions": "sinusoidal"} if kind.startswith("transformer") else {}
    options = read_encoder({**small(kind), "initialisation": "normal", **positions})
    assert options.name == kind
    assert options.initialisation is Initialisation.NORMAL
    if positions:
        assert options.positions is Positions.SINUSOIDAL
    assert read_encoder(encoder_values(options)) == options


def test_a_model_file_of_an_earlier_release_holds_the_options_of_all_encoders():
    others = {"kernel_size": 3, "residual": True, "positions": "none", "encoder_dropout": 0.3}
    stored = {**encoder_values(read_encoder({"kind": "lstm", "hidden": 24})), **others}
    del stored["learning_rate"]
    assert read_stored_encoder(stored) == read_encoder({"kind": "lstm", "hidden": 24})
    with pytest.raises(RequestError, match="unknown key"):
        read_encoder(stored)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "there is no encoder None"),
        ({"kind": "gpt"}, "known: bilstm, gru, lstm, tcn, transformer, transformer_lstm"),
        ({"kind": "lstn"}, "did you mean 'lstm'"),
        ({"kind": "lstm", "hiden": 3}, "unknown key 'hiden' at encoder; did you mean 'hidden'"),
        ({"kind": "lstm", "feed_forward": 8}, "unknown key 'feed_forward'"),
        ({"kind": "lstm", "stride": 50}, "carries its state"),
        ({"kind": "gru", "stride": 50}, "carries its state"),
        ({"kind": "transformer_lstm", "stride": 50}, "carries its state"),
        ({"kind": "transformer_lstm", "hidden": 10}, "multiple of heads"),
        ({"kind": "gru", "hidden": 10, "fusion": "cross_attention"}, "multiple of heads"),
        ({"kind": "bilstm", "hidden": 7}, "each direction"),
        ({"kind": "tcn", "kernel_size": 4}, "no centre"),
        ({"kind": "transformer", "stride": 251}, "stride must lie in"),
        ({"kind": "transformer", "stride": 0}, "encoder.stride is 0: must be an integer from 1"),
        ({"kind": "transformer", "hidden": 10}, "multiple of heads"),
        ({"kind": "lstm", "regressor": []}, "encoder.regressor has 0 items: needs 1 or more"),
        ({"kind": "lstm", "hidden": 16.0}, "encoder.hidden is 16.0: must be an integer"),
        ({"kind": "lstm", "dropout": float("nan")}, "encoder.dropout is nan"),
        ({"kind": "transformer", "positions": "learnt"}, "encoder.positions is 'learnt'"),
    ],
)
def test_invalid_options(values, message):
    with pytest.raises(RequestError, match=message):
        read_encoder(values)


def test_no_feature_at_all():
    with pytest.raises(RequestError, match="at least one feature"):
        Network(read_encoder({"kind": "lstm"}), 0)


@pytest.mark.parametrize("initialisation", list(Initialisation))
@pytest.mark.parametrize("kind", encoder_names())
def test_flags_change_no_bit_until_something_is_absent(kind, initialisation):
    spec = read_encoder({**small(kind), "fusion_relu": True, "initialisation": initialisation})
    torch.manual_seed(3)
    plain = Network(spec, 5)
    torch.manual_seed(3)
    told = Network(spec, 5, flags=2)
    assert {**told.state_dict()}.keys() - {**plain.state_dict()}.keys() == {"absence"}
    for name, value in plain.state_dict().items():
        assert torch.equal(told.state_dict()[name], value)
    x = features(3, 11)
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
    x = torch.cat([features(2, 9), torch.ones(2, 9, 2)], dim=2)
    torch.testing.assert_close(model(x)[0], one(x)[0])
    assert model.clip_groups()[-1][0] is model.absence

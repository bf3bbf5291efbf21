"""The encoders and the fusion that are not the paper's."""

import pytest
import torch
from torch import nn

from circumplex.config.encoders.registry import ENCODERS, encoder_names, read_encoder
from circumplex.config.training import TrainingSpec
from circumplex.errors import RequestError
from circumplex.model.checkpoints import load_model, save_model
from circumplex.model.network import Network, carry
from circumplex.targets import Target
from circumplex.training.predict import Predictor
from circumplex.training.train import Training, TrainingData
from synthetic_data import SyntheticData

SMALL = {"hidden": 16, "heads": 2, "layers": 2, "regressor": [12]}


def small(kind):
    """Options of a small network with the encoder of this name."""
    return {**SMALL, "kind": kind, **({"feed_forward": 24} if "transformer" in kind else {})}


def network(kind, flags=0, visual=(3, 1), **values):
    torch.manual_seed(0)
    return Network(read_encoder({**small(kind), **values}), 5, flags, visual).eval()


def features(rows, frames, seed=1):
    return torch.randn(rows, frames, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("fusion", ["concatenate", "cross_attention"])
@pytest.mark.parametrize("kind", encoder_names())
def test_shapes_gradients_and_repetition(kind, fusion):
    model, x = network(kind, fusion=fusion), features(3, 9)
    carries = ENCODERS[kind].carries
    output, state = model(x)
    assert output.shape == (3, 9, 2)
    assert (state is not None) == carries
    if carries:
        again, _ = model(x[:2], None, carry(state, 2))
        assert again.shape == (2, 9, 2)
    output.square().sum().backward()
    for name, parameter in model.named_parameters():
        # A key's bias moves all scores of a query alike: a softmax does not see it.
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    grouped = [p for group in model.clip_groups() for p in group]
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters()}
    assert len(grouped) == len(list(model.parameters()))
    assert torch.equal(network(kind, fusion=fusion)(x)[0], output)


def test_gru_against_its_equations():
    """One step of Cho et al. as PyTorch writes them: reset gate within the candidate."""
    model = network("gru", layers=1)
    x = features(1, 4)
    fused = model.fusion(x)[0]
    gru = model.encoder.gru
    h = torch.zeros(16)
    for row in fused:
        of_x = gru.weight_ih_l0 @ row + gru.bias_ih_l0
        of_h = gru.weight_hh_l0 @ h + gru.bias_hh_l0
        reset, update = torch.sigmoid(of_x[:32] + of_h[:32]).split(16)
        candidate = torch.tanh(of_x[32:] + reset * of_h[32:])
        h = (1 - update) * candidate + update * h
    hidden, (state,) = model.encoder(model.fusion(x), None, None)
    torch.testing.assert_close(hidden[0, -1], h, atol=1e-6, rtol=1e-5)
    assert torch.equal(state[0, 0], hidden[0, -1])


def test_a_bilstm_reads_both_ways_and_carries_nothing():
    model, x = network("bilstm"), features(2, 12)
    late, early = x.clone(), x.clone()
    late[:, -1] += 1
    early[:, 0] += 1
    plain = model(x)[0]
    assert (model(late)[0][:, 0] != plain[:, 0]).any()
    assert (model(early)[0][:, -1] != plain[:, -1]).any()


@pytest.mark.parametrize(("layers", "kernel_size"), [(1, 3), (2, 3), (3, 3), (2, 5), (2, 1)])
def test_receptive_field_of_the_tcn(layers, kernel_size):
    model = network("tcn", layers=layers, kernel_size=kernel_size)
    half = 2 * (kernel_size - 1) // 2 * (2**layers - 1)
    assert model.encoder.receptive_field == 2 * half + 1
    x = features(1, 4 * half + 5).requires_grad_()
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


def test_transformer_lstm_is_what_it_says():
    """Transformer, residual, LSTM, by the modules themselves; without residual the sum is gone."""
    for residual in (True, False):
        model, x = network("transformer_lstm", residual=residual), features(2, 7)
        fused = model.fusion(x)
        attended, _ = model.encoder.transformer(fused, None, None)
        hidden, _ = model.encoder.lstm(attended + fused if residual else attended)
        assert torch.equal(model.encoder(fused, None, None)[0], hidden)
    # The LSTM goes on where it was; the Transformer sees the new segment alone.
    _, state = model(x)
    fused = model.fusion(x)
    attended, _ = model.encoder.transformer(fused, None, None)
    hidden, _ = model.encoder.lstm(attended, carry(state, 2))
    assert torch.equal(model(x, None, carry(state, 2))[0], model.regressor(hidden))


def test_transformer_lstm_positions():
    placed, x = network("transformer_lstm", positions="sinusoidal"), features(1, 8)
    assert not torch.allclose(placed(x)[0], network("transformer_lstm")(x)[0], atol=1e-4)


def test_cross_attention_by_hand():
    model, x = network("gru", fusion="cross_attention", heads=1), features(1, 4)
    first = model.fusion[0]
    picture, sound = first.picture(x[0, :, :3]), first.sound(x[0, :, 3:])

    def attend(attention, queries, keys):
        wq, wk, wv = attention.in_proj_weight.chunk(3)
        bq, bk, bv = attention.in_proj_bias.chunk(3)
        scores = (queries @ wq.T + bq) @ (keys @ wk.T + bk).T / 4
        return attention.out_proj(torch.softmax(scores, dim=1) @ (keys @ wv.T + bv))

    joined = torch.cat(
        [
            picture + attend(first.to_sound, picture, sound),
            sound + attend(first.to_picture, sound, picture),
        ],
        dim=1,
    )
    torch.testing.assert_close(model.fusion(x)[0], first.join(joined), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", encoder_names())
def test_cross_attention_does_not_see_padding(kind):
    model, x = network(kind, fusion="cross_attention"), features(2, 9)
    padding = torch.zeros(2, 9, dtype=torch.bool)
    padding[1, 6:] = True
    alone, _ = model(x[1:, :6])
    for junk in (0.0, 100.0):
        padded = x.clone()
        padded[1, 6:] = junk
        torch.testing.assert_close(model(padded, padding)[0][1:, :6], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("absent", [0, 1])
def test_cross_attention_takes_nothing_from_an_absent_modality(absent):
    model, x = network("gru", flags=2, fusion="cross_attention"), features(3, 6)
    values = torch.cat([x, torch.zeros(3, 6, 2)], dim=2)
    plain = model(values)[0]
    values[1, :, 5 + absent] = 1
    values[1, :, slice(0, 3) if absent == 0 else slice(3, 5)] = 0
    told = model(values)[0]
    assert torch.isfinite(told).all()
    torch.testing.assert_close(told[[0, 2]], plain[[0, 2]])
    first = model.fusion[0]
    other = first.picture(values[1, :, :3]) if absent else first.sound(values[1, :, 3:5])
    fused = first(values[..., :5], None, values[..., 5:])[1]
    half = slice(0, 16) if absent else slice(16, 32)
    # Solve for what entered the last layer on the other side: that side alone, nothing added.
    picked = nn.Linear(32, 16)
    picked.load_state_dict(first.join.state_dict())
    with torch.no_grad():
        picked.weight[:, 16 if absent else 0 : 32 if absent else 16] = 0
        first.join.load_state_dict(picked.state_dict())
        entered = torch.zeros(6, 32)
        entered[:, half] = other
        torch.testing.assert_close(
            first(values[..., :5], None, values[..., 5:])[1], picked(entered), atol=1e-6, rtol=1e-5
        )
    assert torch.isfinite(fused).all()


def test_cross_attention_needs_both_modalities():
    for visual in ((0, 0), (5, 2)):
        with pytest.raises(RequestError, match="visual and audio"):
            network("lstm", fusion="cross_attention", visual=visual)
    with pytest.raises(RequestError, match="visual and audio"):
        TrainingSpec.read(
            {"encoder": {"kind": "lstm", "fusion": "cross_attention"}, "visual": ["a"]}
        )


@pytest.mark.parametrize("kind", ["gru", "transformer_lstm"])
def test_drawn_segments_carry_no_state(kind):
    values = {"encoder": {"kind": kind}, "visual": ["a"]}
    assert TrainingSpec.read(values).order == "in_step"
    with pytest.raises(RequestError, match="carries its state over a video"):
        TrainingSpec.read({**values, "order": "drawn"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "fusion", "loss"),
    [
        ("transformer_lstm", "concatenate", "ccc"),
        ("gru", "concatenate", "ccc_mse"),
        ("bilstm", "concatenate", "batch_ccc"),
        ("tcn", "concatenate", "ccc"),
        ("lstm", "cross_attention", "ccc_mse"),
    ],
)
def test_it_learns_and_predicts_the_same_from_its_file(tmp_path, kind, fusion, loss):
    lengths = {f"t{i}": n for i, n in enumerate((60, 41, 100, 33))} | {"v0": 50, "v1": 31}
    toy = SyntheticData(tmp_path / "data", lengths)
    toy.features["voice"]["t1"] = None
    reader, labels = toy.readers()
    encoder = {**small(kind), "fusion": fusion, "segment_length": 20, "stride": 20}
    has_dropout = "encoder_dropout" in ENCODERS[kind].model_fields
    undropped = {"encoder_dropout": 0.0} if has_dropout else {}
    spec = TrainingSpec.read(
        {
            "encoder": {**encoder, "dropout": 0.0, **undropped},
            "visual": ["face"],
            "audio": ["voice"],
            "epochs": 12,
            "batch_size": 2,
            "learning_rate": 5e-3,
            "loss": loss,
            "normalisation": {"face": "zscore", "voice": "zscore"},
        }
    )
    assert TrainingSpec.read(spec.plain()) == spec
    names = ([n for n in lengths if n[0] == "t"], ["v0", "v1"])
    data = TrainingData(reader, labels, *names)
    results = [Training(spec, data, seed=0, work=tmp_path / w).run() for w in "ab"]
    for i, result in enumerate(results):
        save_model(result.model, tmp_path / f"{i}.pt")
    assert (tmp_path / "0.pt").read_bytes() == (tmp_path / "1.pt").read_bytes()
    assert min(results[0].best[target][1] for target in Target) > 0.8
    predicted = Predictor(load_model(tmp_path / "0.pt"), reader).predict("v1")
    assert predicted.shape == (31, 2)
    whole = Predictor(results[0].model, reader).predict("v1")
    assert (predicted == whole).all()


@pytest.mark.parametrize("fusion", ["concatenate", "cross_attention"])
@pytest.mark.parametrize("kind", encoder_names())
def test_every_network_trains_in_bfloat16(tmp_path, kind, fusion):
    toy = SyntheticData(tmp_path / "data", {"t0": 33, "t1": 50, "t2": 21, "v0": 40})
    encoder = {**small(kind), "fusion": fusion, "segment_length": 20, "stride": 20}
    spec = TrainingSpec.read(
        {
            "encoder": encoder,
            "visual": ["face"],
            "audio": ["voice"],
            "epochs": 2,
            "batch_size": 2,
            "precision": "bfloat16",
        }
    )
    names = (["t0", "t1", "t2"], ["v0"])
    data = TrainingData(*toy.readers(), *names)
    result = Training(spec, data, seed=0, work=tmp_path / "w").run()
    weights = result.model.checkpoints[Target.VALENCE][0][1]
    assert all(weight.dtype == torch.float32 for weight in weights.values())
    assert all(torch.isfinite(weight).all() for weight in weights.values())

"""What the networks of all temporal encoders, or of all that carry a state, have in common."""

import pytest
import torch

from circumplex.config.encoders.registry import (
    ENCODERS,
    encoder_names,
)
from circumplex.config.training import TrainingSpec
from circumplex.errors import RequestError
from circumplex.model.checkpoints import load_model, save_model
from circumplex.model.network import carry
from circumplex.targets import Target
from circumplex.training.predict import Predictor
from circumplex.training.train import Training, TrainingData
from small_networks import random_features, small_network, small_options
from synthetic_data import SyntheticData


@pytest.mark.parametrize("fusion", ["concatenate", "cross_attention"])
@pytest.mark.parametrize("kind", encoder_names())
def test_shapes_gradients_and_repetition(kind, fusion):
    model, x = small_network(kind, fusion=fusion), random_features(3, 9)
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
    assert torch.equal(small_network(kind, fusion=fusion)(x)[0], output)


@pytest.mark.parametrize("kind", encoder_names())
def test_cross_attention_does_not_see_padding(kind):
    model, x = small_network(kind, fusion="cross_attention"), random_features(2, 9)
    padding = torch.zeros(2, 9, dtype=torch.bool)
    padding[1, 6:] = True
    alone, _ = model(x[1:, :6])
    for junk in (0.0, 100.0):
        padded = x.clone()
        padded[1, 6:] = junk
        torch.testing.assert_close(model(padded, padding)[0][1:, :6], alone, atol=1e-5, rtol=1e-4)


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
    corpus = SyntheticData(tmp_path / "data", lengths)
    corpus.features["voice"]["t1"] = None
    reader, labels = corpus.readers()
    sizes = {"regressor": [12], "fusion": fusion, "segment_length": 20, "stride": 20}
    encoder = {**small_options(kind), **sizes}
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
    corpus = SyntheticData(tmp_path / "data", {"t0": 33, "t1": 50, "t2": 21, "v0": 40})
    encoder = {**small_options(kind), "fusion": fusion, "segment_length": 20, "stride": 20}
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
    data = TrainingData(*corpus.readers(), *names)
    result = Training(spec, data, seed=0, work=tmp_path / "w").run()
    weights = result.model.checkpoints[Target.VALENCE][0][1]
    assert all(weight.dtype == torch.float32 for weight in weights.values())
    assert all(torch.isfinite(weight).all() for weight in weights.values())


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_in_segments_equals_the_whole_video(kind):
    model, x = small_network(kind=kind), random_features(3, 53)
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
    model, x = small_network(kind=kind), random_features(3, 20)
    _, state = model(x[:, :10])
    state = carry(state, 2)
    assert all(not tensor.requires_grad for tensor in state)
    rest, _ = model(x[:2, 10:], None, state)
    torch.testing.assert_close(rest, model(x)[0][:2, 10:], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", encoder_names())
def test_padding_changes_nothing(kind):
    model, x = small_network(kind=kind), random_features(2, 9)
    padding = torch.zeros(2, 9, dtype=torch.bool)
    padding[1, 6:] = True
    alone, _ = model(x[1:, :6])
    for junk in (0.0, 100.0):
        padded = x.clone()
        padded[1, 6:] = junk
        result, _ = model(padded, padding)
        torch.testing.assert_close(result[1:, :6], alone, atol=1e-5, rtol=1e-4)

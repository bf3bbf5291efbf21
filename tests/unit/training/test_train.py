import math

import numpy as np
import pytest
import torch

from circumplex.ccc import CccAccumulator, ccc
from circumplex.config.precision import Precision
from circumplex.config.training import Normalisation, Order, Reduction, Selection, TrainingSpec
from circumplex.errors import RequestError
from circumplex.model.checkpoints import save_model
from circumplex.networks.reproducible import NonFinite
from circumplex.targets import Target
from circumplex.training.predict import Predictor
from circumplex.training.state import WorkFolder
from circumplex.training.train import Training, TrainingData, compute_rate
from synthetic_data import SyntheticData

TRAIN = {f"t{i}": frames for i, frames in enumerate((60, 41, 100, 33, 20, 77))}
VAL = {"v0": 50, "v1": 20, "v2": 61}
ENCODERS = {
    "lstm": {"kind": "lstm", "segment_length": 20, "stride": 20},
    "transformer": {
        **{"kind": "transformer", "segment_length": 30, "stride": 20, "layers": 2},
        "feed_forward": 32,
    },
}


def spec(kind="lstm", **values):
    encoder = {"hidden": 24, "heads": 2, "regressor": [16], **ENCODERS[kind]}
    plain = {"encoder": encoder, "visual": ["face"], "audio": ["voice"], "epochs": 4}
    return TrainingSpec.read({**plain, "batch_size": 4, "learning_rate": 3e-3, **values})


@pytest.fixture
def corpus(tmp_path):
    return SyntheticData(tmp_path / "data", {**TRAIN, **VAL})


def run(corpus, work, chosen, train_samples=TRAIN, val_samples=VAL, seed=0, **rest):
    reader, labels = corpus.readers()
    samples = (list(train_samples), list(val_samples))
    of_run = {k: rest.pop(k) for k in ("on_epoch", "state_interval_s") if k in rest}
    data = TrainingData(reader, labels, *samples)
    return Training(chosen, data, seed=seed, work=work, **rest).run(**of_run)


def bytes_of(result, path):
    save_model(result.model, path)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_same_seed_same_bytes_another_seed_others(corpus, tmp_path, kind):
    state = torch.random.get_rng_state()
    chosen = spec(kind, selection="last")
    runs = []
    for i, (seed, fold) in enumerate([(0, None), (0, None), (1, None), (0, 2)]):
        torch.rand(i)
        result = run(corpus, tmp_path / f"w{i}", chosen, seed=seed, fold=fold)
        weights = result.model.checkpoints[Target.VALENCE][0][1]
        runs.append((bytes_of(result, tmp_path / "m.pt"), weights["regressor.0.weight"]))
        torch.random.set_rng_state(state)
    assert runs[0][0] == runs[1][0]
    assert not torch.equal(runs[0][1], runs[2][1])
    assert not torch.equal(runs[0][1], runs[3][1])


def test_the_order_of_the_sample_lists_changes_nothing(corpus, tmp_path):
    one = run(corpus, tmp_path / "w1", spec())
    other = run(
        corpus, tmp_path / "w2", spec(), sorted(TRAIN, reverse=True), sorted(VAL, reverse=True)
    )
    assert bytes_of(one, tmp_path / "1.pt") == bytes_of(other, tmp_path / "2.pt")


def test_the_callers_random_state_and_settings_are_left_alone(corpus, tmp_path):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    run(corpus, tmp_path / "w", spec(epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


class Killed(Exception):
    pass


def killer(epoch):
    def kill(row):
        if row.epoch == epoch:
            raise Killed

    return kill


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@pytest.mark.parametrize(
    "selection",
    [
        {"selection": "best"},
        {"selection": "last"},
        {"selection": "epochs", "valence_epochs": [1, 2], "arousal_epochs": [2, 4]},
    ],
)
def test_a_killed_run_resumes_to_the_same_bytes(corpus, tmp_path, kind, selection):
    chosen = spec(kind, normalisation={"face": "zscore"}, **selection)
    whole = run(corpus, tmp_path / "w1", chosen)
    for epoch in (1, 3):
        with pytest.raises(Killed):
            run(corpus, tmp_path / "w2", chosen, on_epoch=killer(epoch))
    seen = []
    resumed = run(corpus, tmp_path / "w2", chosen, on_epoch=lambda row: seen.append(row.epoch))
    assert seen == [4]
    assert bytes_of(whole, tmp_path / "1.pt") == bytes_of(resumed, tmp_path / "2.pt")
    for a, b in zip(whole.log, resumed.log, strict=True):
        assert (a.train_loss, a.val_valence, a.updates) == (b.train_loss, b.val_valence, b.updates)


def test_a_run_killed_long_after_its_last_state_resumes_to_the_same_bytes(corpus, tmp_path):
    chosen = spec()
    whole = run(corpus, tmp_path / "w1", chosen)
    with pytest.raises(Killed):
        run(corpus, tmp_path / "w2", chosen, on_epoch=killer(2), state_interval_s=0)
    with pytest.raises(Killed):
        run(corpus, tmp_path / "w2", chosen, on_epoch=killer(3), state_interval_s=1e9)
    seen = []
    resumed = run(corpus, tmp_path / "w2", chosen, on_epoch=lambda row: seen.append(row.epoch))
    assert seen == [3, 4]
    assert bytes_of(whole, tmp_path / "1.pt") == bytes_of(resumed, tmp_path / "2.pt")


@pytest.mark.parametrize("change", ["spec", "seed", "labels", "metadata"])
def test_the_state_of_another_training_is_not_resumed(corpus, tmp_path, change):
    with pytest.raises(Killed):
        run(corpus, tmp_path / "w", spec(), on_epoch=killer(2))
    chosen, seed, metadata, seen = spec(), 0, None, []
    if change == "spec":
        chosen = spec(learning_rate=1e-3)
    elif change == "seed":
        seed = 1
    elif change == "metadata":
        metadata = {"code": "other"}
    else:
        corpus.labels["t2"][5] = 0
    run(
        corpus,
        tmp_path / "w",
        chosen,
        seed=seed,
        metadata=metadata,
        on_epoch=lambda row: seen.append(row.epoch),
    )
    assert seen == [1, 2, 3, 4]


def test_a_finished_run_is_not_repeated_and_discard_leaves_nothing(corpus, tmp_path):
    first = bytes_of(run(corpus, tmp_path / "w", spec()), tmp_path / "1.pt")
    again = run(corpus, tmp_path / "w", spec(), on_epoch=killer(1))
    assert bytes_of(again, tmp_path / "2.pt") == first
    WorkFolder(tmp_path / "w").discard()
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_it_solves_a_toy_problem_on_samples_it_has_not_seen(corpus, tmp_path, kind):
    chosen = spec(kind, epochs=30, normalisation={"face": "zscore", "voice": "zscore"})
    result = run(corpus, tmp_path / "w", chosen)
    reader, _ = corpus.readers()
    predictor = Predictor(result.model, reader)
    for column, target in enumerate(Target):
        scored = CccAccumulator()
        for sample in VAL:
            scored.update(predictor.predict(sample)[:, column], corpus.labels[sample][:, column])
        assert scored.ccc() > 0.9
        # The kept weights are those of the epoch that was best.
        assert scored.ccc() == pytest.approx(result.best[target][1], abs=1e-4)
    assert result.log[-1].train_loss < 0.5 * result.log[0].train_loss


def test_best_epochs_are_kept_for_each_target_and_the_rest_removed(corpus, tmp_path):
    result = run(corpus, tmp_path / "w", spec(epochs=6))
    for target, key in ((Target.VALENCE, "val_valence"), (Target.AROUSAL, "val_arousal")):
        scores = [getattr(row, key) for row in result.log]
        assert result.best[target] == (int(np.argmax(scores)) + 1, max(scores))
        assert [e for e, _ in result.model.checkpoints[target]] == [result.best[target][0]]
    kept = {f"epoch-{epoch:04d}.pt" for epoch, _ in result.best.values()}
    assert {path.name for path in (tmp_path / "w").iterdir()} == {"state.pt", *kept}


def test_train_val_mix_needs_no_validation_and_ensembles_epochs(corpus, tmp_path):
    chosen = spec(selection="epochs", valence_epochs=[1, 2], arousal_epochs=[2, 4])
    result = run(corpus, tmp_path / "w", chosen, val_samples=[])
    assert [e for e, _ in result.model.checkpoints[Target.VALENCE]] == [1, 2]
    assert [e for e, _ in result.model.checkpoints[Target.AROUSAL]] == [2, 3, 4]
    assert math.isnan(result.log[0].val_valence)
    assert result.best == {}
    reader, _ = corpus.readers()
    assert Predictor(result.model, reader).predict("v0").shape == (50, 2)


def test_updates_an_epoch(corpus, tmp_path):
    lstm = run(corpus, tmp_path / "a", spec(epochs=1, bucket_batches=1, batch_size=6))
    assert lstm.log[0].updates == 5  # the longest of the six videos has 100 frames
    segments = sum(frames // 20 + (frames % 20 > 0) for frames in TRAIN.values())
    drawn = run(corpus, tmp_path / "b", spec("transformer", epochs=1))
    assert drawn.log[0].updates == math.ceil(segments / 4)
    in_step = run(
        corpus, tmp_path / "c", spec("transformer", epochs=1, order="in_step", batch_size=6)
    )
    assert in_step.log[0].updates == 4  # published code: 16 videos in step for both encoders


def test_frames_without_annotation_are_out_of_loss_and_metric(corpus, tmp_path):
    for name in ("t0", "t3", "v0"):
        corpus.labels[name][10:] = np.nan
    first = run(corpus, tmp_path / "w1", spec(epochs=2))
    # An LSTM looks back only: what comes after a video's last annotated frame must not matter.
    for name in ("t0", "t3", "v0"):
        corpus.features["face"][name][10:] = 50
    second = run(corpus, tmp_path / "w2", spec(epochs=2))
    assert [row.train_loss for row in first.log] == pytest.approx(
        [row.train_loss for row in second.log], abs=1e-6
    )
    assert first.log[-1].val_valence == pytest.approx(second.log[-1].val_valence, abs=1e-6)


def test_normalisation_comes_from_the_training_part_alone(corpus, tmp_path):
    corpus.features["voice"]["t1"] = None
    for name in VAL:
        corpus.features["face"][name] += 1000
        corpus.features["voice"][name] += 1000
    chosen = spec(epochs=1, normalisation={"voice": "zscore"})
    scalings = run(corpus, tmp_path / "w", chosen).model.scalings
    rows = np.concatenate([corpus.features["voice"][t] for t in TRAIN if t != "t1"])
    np.testing.assert_allclose(scalings["voice"].mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(1 / scalings["voice"].scale, rows.std(axis=0), rtol=1e-5)
    assert scalings["face"] is None


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_telling_what_is_absent_changes_no_bit_where_nothing_is(corpus, tmp_path, kind):
    rows, weights = [], []
    for missing in ("zeros_with_mask", "zeros"):
        chosen = spec(
            kind, missing_modality=missing, clip_norm=1.0, normalisation={"face": "zscore"}
        )
        result = run(corpus, tmp_path / missing, chosen)
        rows.append([(r.train_loss, r.val_valence, r.val_arousal) for r in result.log])
        weights.append(dict(result.model.checkpoints[Target.AROUSAL][0][1]))
    assert rows[0] == rows[1]
    assert not weights[0].pop("absence").any()
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_what_stands_for_an_absent_modality_is_learnt(tmp_path):
    """Both labels rise with the voice's absence: only a model that is told of it can know."""
    corpus = SyntheticData(tmp_path / "data", {f"s{k}": 40 for k in range(12)})
    for k, name in enumerate(corpus.labels):
        corpus.labels[name] = corpus.labels[name] / 8 + (0.6 if k % 2 else -0.6)
        zeros = np.zeros_like(
            corpus.features["voice"][name]
        )  # the voices that are there say nothing
        corpus.features["voice"][name] = None if k % 2 else zeros
    scores = {}
    names = list(corpus.labels)
    for missing in ("zeros_with_mask", "zeros"):
        told = {"missing_modality": missing, "normalisation": {"face": "zscore"}}
        chosen = spec(epochs=16, learning_rate=0.01, **told)
        result = run(corpus, tmp_path / missing, chosen, names[:8], names[8:])
        scores[missing] = result.best[Target.VALENCE][1]
    assert scores["zeros_with_mask"] > 0.9 > 0.4 > scores["zeros"]


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@pytest.mark.parametrize("frame", [3, 15])
def test_a_nan_feature_stops_and_names_sample_and_frame(corpus, tmp_path, kind, frame):
    corpus.labels["t3"][10:] = np.nan  # frame 15 has no annotation, yet poisons the gradient
    corpus.features["voice"]["t3"][frame, 2] = np.nan
    with pytest.raises(NonFinite, match=f"sample t3, voice, frame {frame}"):
        run(corpus, tmp_path / "w", spec(kind))


def test_a_nan_feature_of_a_validation_sample_is_named(corpus, tmp_path):
    corpus.features["face"]["v2"][0, 0] = np.inf
    with pytest.raises(NonFinite, match="validation sample v2"):
        run(corpus, tmp_path / "w", spec())


def test_divergence_stops_and_names_samples(corpus, tmp_path):
    corpus.features["face"]["t4"][:] = 3e38
    with pytest.raises(NonFinite, match="t4"):
        run(corpus, tmp_path / "w", spec())


def test_one_modality_may_be_empty(corpus, tmp_path):
    for i, chosen in enumerate(({"audio": []}, {"visual": []})):
        result = run(corpus, tmp_path / f"w{i}", spec(epochs=1, **chosen))
        assert len(result.model.dimensions) == 1


def test_bfloat16_learns_and_weights_stay_float32(corpus, tmp_path):
    chosen = spec(
        epochs=8, precision="bfloat16", normalisation={"face": "zscore", "voice": "zscore"}
    )
    assert chosen.precision is Precision.BFLOAT16
    result = run(corpus, tmp_path / "w", chosen)
    assert result.log[-1].train_loss < 0.7 * result.log[0].train_loss
    weights = result.model.checkpoints[Target.VALENCE][0][1]
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


def test_published_code_preset(corpus, tmp_path):
    encoder = {
        "kind": "transformer",
        "segment_length": 30,
        "stride": 30,
        "layers": 1,
        "hidden": 24,
        "heads": 2,
        "feed_forward": 32,
        "regressor": [16],
        "encoder_dropout": 0.1,
        "positions": "sinusoidal",
        "mask_padding": False,
        "initialisation": "normal",
    }
    chosen = TrainingSpec.read(
        {
            "encoder": encoder,
            "visual": ["face"],
            "audio": ["voice"],
            "order": "in_step",
            "bucket_batches": 1,
            "betas": [0.5, 0.999],
            "decay_after": 10,
            "clip_norm": 5,
            "reduction": "mean",
        }
    )
    assert chosen.reduction is Reduction.MEAN
    # Its schedule: 1 - max(0, epoch - niter) / (niter_decay + 1), epochs from 1.
    rates = [compute_rate(chosen, epoch) / chosen.learning_rate for epoch in (1, 10, 11, 30)]
    assert rates == pytest.approx([1, 1, 20 / 21, 1 / 21])
    result = run(corpus, tmp_path / "w", chosen.model_copy(update={"epochs": 12}))
    assert result.log[0].train_loss <= 2


def test_clipping_bounds_each_sub_network(corpus, tmp_path, monkeypatch):
    norms = []
    original = torch.optim.Adam.step

    def step(self, *args, **kwargs):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.sqrt(sum((g**2).sum() for g in grads))))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    run(corpus, tmp_path / "w", spec(epochs=1, clip_norm=1e-4))
    assert max(norms) <= math.sqrt(3) * 1.01e-4


def test_published_defaults_and_round_trip():
    lstm = TrainingSpec.read({"encoder": {"kind": "lstm"}, "visual": ["densenet"]})
    transformer = TrainingSpec.read({"encoder": {"kind": "transformer"}, "audio": ["wav2vec2"]})
    assert (lstm.learning_rate, lstm.order, lstm.epochs, lstm.batch_size) == (
        3e-4,
        Order.IN_STEP,
        30,
        16,
    )
    assert (transformer.learning_rate, transformer.order) == (2e-4, Order.DRAWN)
    assert [lstm.epoch_range(target) for target in Target] == [(11, 16), (16, 25)]
    assert {compute_rate(lstm, epoch) for epoch in range(1, 31)} == {3e-4}
    chosen = spec(normalisation={"face": "zscore"}, selection="last")
    assert chosen.normalisation == {"face": Normalisation.ZSCORE}
    assert chosen.selection is Selection.LAST
    assert TrainingSpec.read(chosen.plain()) == chosen


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"visual": [], "audio": []}, "at least one feature"),
        ({"audio": ["face"]}, "chosen twice"),
        ({"lerning_rate": 1}, "unknown key 'lerning_rate'.*did you mean 'learning_rate'"),
        ({"normalisation": {"fau": "zscore"}}, "normalisation of fau"),
        (
            {"normalisation": {"face": "minmax"}},
            "face is 'minmax', but must be one of .'none', 'zscore'",
        ),
        ({"order": "drawn"}, "order must be in_step"),
        ({"selection": "epochs"}, "epochs 11 to 16 are chosen, but training has 1 to 4"),
        ({"epochs": 0}, "epochs is 0: must be an integer from 1"),
    ],
)
def test_invalid_specs(values, message):
    with pytest.raises(RequestError, match=message):
        spec(**values)


def test_invalid_samples(corpus, tmp_path):
    with pytest.raises(RequestError, match="no training sample"):
        run(corpus, tmp_path / "w", spec(), train_samples=[])
    with pytest.raises(RequestError, match="no validation sample"):
        run(corpus, tmp_path / "w", spec(), val_samples=[])
    with pytest.raises(RequestError, match="same samples: t1"):
        run(corpus, tmp_path / "w", spec(), val_samples=["t1", "v0"])
    corpus.labels["v1"][:] = corpus.labels["v0"][:20] = np.nan
    corpus.labels["v0"][:] = corpus.labels["v2"][:] = np.nan
    with pytest.raises(RequestError, match="no frame of the validation"):
        run(corpus, tmp_path / "w", spec())
    for name in TRAIN:
        corpus.labels[name][:] = 0.5
    with pytest.raises(RequestError, match="nothing can be learnt"):
        run(corpus, tmp_path / "w", spec(selection="last"), val_samples=[])
    corpus.labels["t0"] = corpus.labels["t0"][:-1]
    with pytest.raises(RequestError, match="t0: 60 frames of features, 59 of labels"):
        run(corpus, tmp_path / "w", spec(selection="last"), val_samples=[])


def test_validation_scores_the_concatenation_of_raw_predictions(corpus, tmp_path):
    result = run(corpus, tmp_path / "w", spec(epochs=1, selection="last"))
    reader, _ = corpus.readers()
    predictions = [Predictor(result.model, reader).predict(sample) for sample in VAL]
    truth = np.concatenate([corpus.labels[sample] for sample in VAL])
    expected = ccc(np.concatenate(predictions)[:, 1], truth[:, 1])
    assert result.log[0].val_arousal == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@pytest.mark.parametrize("column", [0, 1])
def test_one_target_alone_is_learnt_and_chosen_by(corpus, tmp_path, kind, column):
    target, other = (Target.VALENCE, Target.AROUSAL)[:: 1 - 2 * column]
    for name in (*TRAIN, *VAL):
        corpus.labels[name][:, 1 - column] = np.nan
    result = run(corpus, tmp_path / "w", spec(kind, epochs=6))
    key = {Target.VALENCE: "val_valence", Target.AROUSAL: "val_arousal"}
    scores = [getattr(row, key[target]) for row in result.log]
    assert all(math.isnan(getattr(row, key[other])) for row in result.log)
    epoch, best = result.best[target]
    assert best == max(scores) == scores[epoch - 1]
    assert other not in result.best
    kept = {of: [e for e, _ in result.model.checkpoints[of]] for of in Target}
    assert kept == {Target.VALENCE: [epoch], Target.AROUSAL: [epoch]}
    reader, labels = corpus.readers()
    predictor = Predictor(result.model, reader)
    predicted = {name: predictor.predict(name) for name in VAL}
    assert all((values[:, 1 - column] == 0).all() for values in predicted.values())
    moments = CccAccumulator()
    for name, values in predicted.items():
        moments.update(values[:, column], labels.values(name)[:, column])
    assert moments.ccc() == pytest.approx(best, abs=1e-5)


def test_one_target_alone_is_learnt_as_it_is_beside_the_other(corpus, tmp_path):
    """Of samples of which some have one target and some both, each target learns from its own."""
    for name in list(TRAIN)[:3]:
        corpus.labels[name][:, 1] = np.nan
    result = run(corpus, tmp_path / "w", spec(epochs=6))
    assert set(result.best) == set(Target)
    assert min(ccc for _, ccc in result.best.values()) > 0.1


def test_a_validation_set_of_one_target_chooses_the_epoch_of_both(corpus, tmp_path):
    for name in VAL:
        corpus.labels[name][:, 1] = np.nan
    result = run(corpus, tmp_path / "w", spec())
    kept = [[e for e, _ in result.model.checkpoints[of]] for of in Target]
    assert kept[0] == kept[1] == [result.best[Target.VALENCE][0]]

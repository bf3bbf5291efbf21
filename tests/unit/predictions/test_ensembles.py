from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.predictions.ensembles import (
    Combination,
    Member,
    Method,
    StackingMoments,
    TargetEnsemble,
    mean_prediction,
    read_combination,
    weigh_by_ccc,
)
from circumplex.predictions.table import PredictionTable, PredictionWriter

DRAW = np.random.default_rng(0)
NAMES = ("a", "b", "c")


def test_the_mean():
    arrays = [DRAW.normal(size=6).astype(np.float32) for _ in range(3)]
    result = mean_prediction(arrays)
    np.testing.assert_allclose(result, np.stack(arrays).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(result, mean_prediction(arrays[::-1]), atol=1e-7)
    assert result.dtype == np.float32


def test_unequal_lengths_and_absent_members_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        mean_prediction([np.zeros(3), np.zeros(1)])
    with pytest.raises(ValueError, match="one shape"):
        mean_prediction([])
    with pytest.raises(ValueError, match="no prediction of d"):
        Combination({"a": 0.5, "d": 0.5}).apply({"a": np.zeros(3)})


def test_a_combination_is_linear_and_clipped():
    combination = Combination({"a": 2.0, "b": -1.0}, 0.25)
    columns = {"a": np.array([0.1, 0.9]), "b": np.array([0.3, -0.9])}
    np.testing.assert_allclose(combination.apply(columns), [0.15, 1.0], rtol=1e-6)
    assert read_combination(combination.record()) == combination


def slow_ccc(x, y):
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def held_out(samples=4):
    """Samples with a truth; a follows it closely, b loosely, c runs against it."""
    for frames in range(30, 30 + samples):
        truth = DRAW.uniform(-0.6, 0.6, size=frames)
        noise = DRAW.normal(size=(2, frames))
        columns = {"a": truth + 0.1 * noise[0], "b": truth + 0.5 * noise[1], "c": -truth}
        annotation = truth.copy()
        annotation[::7] = np.nan
        yield columns, annotation


def test_weights_are_held_out_ccc():
    data = list(held_out())
    weights = weigh_by_ccc(NAMES, data).weights
    truth = np.concatenate([annotation for _, annotation in data])
    valid = ~np.isnan(truth)
    scores = [
        max(0.0, slow_ccc(np.concatenate([c[name] for c, _ in data])[valid], truth[valid]))
        for name in NAMES
    ]
    assert scores[0] > scores[1] > scores[2] == 0
    np.testing.assert_allclose([weights[n] for n in NAMES], np.array(scores) / sum(scores))


def test_without_anything_good_all_weigh_the_same():
    data = [({"a": -t["a"], "c": t["c"]}, y) for t, y in held_out()]
    assert weigh_by_ccc(("a", "c"), data).weights == {"a": 0.5, "c": 0.5}
    assert weigh_by_ccc(NAMES, []).weights == dict.fromkeys(NAMES, 1 / 3)


def moments(data):
    total = StackingMoments(NAMES)
    for columns, annotation in data:
        total.update(columns, annotation)
    return total


@pytest.mark.parametrize("alpha", [1e-6, 0.03, 2.0])
def test_ridge_against_least_squares_on_augmented_rows(alpha):
    data = list(held_out())
    fitted = moments(data).fit(alpha)
    x = np.concatenate([np.stack([c[n] for n in NAMES], axis=1) for c, _ in data])
    y = np.concatenate([annotation for _, annotation in data])
    x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    # A penalty is a row of its own for each weight, which asks for the plain mean's.
    rows = np.sqrt(alpha * len(y)) * np.eye(3)
    design = np.block([[x, np.ones((len(y), 1))], [rows, np.zeros((3, 1))]])
    wanted = np.concatenate([y, rows @ np.full(3, 1 / 3)])
    solution = np.linalg.lstsq(design, wanted, rcond=None)[0]
    np.testing.assert_allclose([fitted.weights[n] for n in NAMES], solution[:3], atol=1e-8)
    assert fitted.intercept == pytest.approx(solution[3], abs=1e-8)


def test_much_penalty_or_no_data_is_the_plain_mean():
    for fitted in (moments(held_out()).fit(1e9), StackingMoments(NAMES).fit(0.01)):
        np.testing.assert_allclose(list(fitted.weights.values()), 1 / 3, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 6))
def test_a_fold_taken_away_is_as_never_seen(samples):
    data = list(held_out(samples))
    without = moments(data).plus(moments(data[:1]), sign=-1)
    rest = moments(data[1:])
    assert without.count == rest.count
    np.testing.assert_allclose(without.products, rest.products, atol=1e-9)


SAMPLES = {f"s{k}": f"fold{k % 2 + 1}" for k in range(6)}


@pytest.fixture
def folder(tmp_path):
    """Two k-fold experiments: each fold's model predicts what it left out, and the test sample."""
    truth = {s: DRAW.uniform(-0.8, 0.8, size=(40, 2)) for s in (*SAMPLES, "test")}
    for experiment, noise in (("good", 0.1), ("bad", 0.8)):
        for fold in ("fold1", "fold2"):
            with PredictionWriter(tmp_path / f"{experiment}-{fold}.parquet", {}) as writer:
                for sample, values in truth.items():
                    if SAMPLES.get(sample, fold) == fold:
                        noisy = values + noise * DRAW.normal(size=values.shape)
                        writer.write(sample, np.arange(40) / 30, noisy.clip(-1, 1))
    for sample in truth:
        write_labels(tmp_path, sample, truth[sample])
    return tmp_path


def write_labels(folder, sample, values):
    import pyarrow as pa

    columns = [pa.field(t, pa.float32()) for t in ("valence", "arousal")]
    schema = frame_schema(*columns, pa.field("annotated", pa.bool_()))
    with TableWriter(folder / f"{sample}.parquet", schema, {}) as table:
        table.write(
            frame=np.arange(len(values)),
            time_s=np.arange(len(values)) / 30,
            valence=values[:, 0],
            arousal=values[:, 1],
            annotated=np.ones(len(values), dtype=bool),
        )


def ensemble(folder, method, given=None):
    members = tuple(
        Member(e, f, PredictionTable(folder / f"{e}-{f}.parquet"))
        for e in ("good", "bad")
        for f in ("fold1", "fold2")
    )
    labels = {} if given else {sample: folder / f"{sample}.parquet" for sample in SAMPLES}
    return TargetEnsemble(0, members, method, 0.001, labels, given)


@pytest.mark.parametrize("method", [Method.CCC_WEIGHTED, Method.STACKED_RIDGE])
def test_fitted_ensembles_prefer_the_better_experiment(folder, method):
    made = ensemble(folder, method)
    weights = made.record()["weights"]
    assert weights["good"] > 1.5 * weights["bad"]
    columns = {
        e: np.mean(
            [PredictionTable(folder / f"{e}-{f}.parquet").values("test")[:, 0] for f in FOLDS],
            axis=0,
        )
        for e in ("good", "bad")
    }
    expected = read_combination(made.record()).apply(columns)
    np.testing.assert_allclose(made.predict("test"), expected, atol=1e-6)


FOLDS = ("fold1", "fold2")


def test_the_mean_is_over_models(folder):
    made = ensemble(folder, Method.MEAN)
    arrays = [member.table.values("test")[:, 0] for member in made.members]
    np.testing.assert_allclose(made.predict("test"), np.mean(arrays, axis=0), atol=1e-6)
    assert made.record() == {}


def test_a_fold_is_stacked_by_the_other_folds_alone(folder):
    before = ensemble(folder, Method.STACKED_RIDGE)
    kept = {s: before.predict(s) for s in SAMPLES}
    whole = before.record()
    write_labels(folder, "s0", DRAW.uniform(-0.8, 0.8, size=(40, 2)))
    after = ensemble(folder, Method.STACKED_RIDGE)
    for sample, fold in SAMPLES.items():
        same = np.array_equal(after.predict(sample), kept[sample])
        assert same == (fold == SAMPLES["s0"]), "its own annotation must not help a fold"
    assert after.record() != whole


def test_test_annotations_change_nothing(folder):
    before = ensemble(folder, Method.STACKED_RIDGE).predict("test")
    write_labels(folder, "test", DRAW.uniform(-0.8, 0.8, size=(40, 2)))
    np.testing.assert_array_equal(ensemble(folder, Method.STACKED_RIDGE).predict("test"), before)


def test_an_export_predicts_with_what_was_fitted(folder):
    made = ensemble(folder, Method.STACKED_RIDGE)
    exported = ensemble(folder, Method.STACKED_RIDGE, given=made.record())
    np.testing.assert_array_equal(exported.predict("test"), made.predict("test"))


def with_pretrained(folder, method, samples):
    """The same beside a pretrained model that predicts some samples alone."""
    path = folder / "ready.parquet"
    with PredictionWriter(path, {}) as writer:
        for sample in samples:
            writer.write(sample, np.arange(40) / 30, np.full((40, 2), 0.5))
    made = ensemble(folder, method)
    ready = Member("ready", "pretrained", PredictionTable(path))
    return replace(made, members=(ready, *made.members))


def test_the_mean_does_without_a_pretrained_model_that_lacks_the_sample(folder):
    made = with_pretrained(folder, Method.MEAN, ["test"])
    np.testing.assert_array_equal(made.predict("s0"), ensemble(folder, Method.MEAN).predict("s0"))
    others = ensemble(folder, Method.MEAN).predict("test").astype(np.float64)
    np.testing.assert_allclose(made.predict("test"), (4 * others + 0.5) / 5, atol=1e-6)
    alone = replace(made, members=made.members[:1])
    assert alone.predict("s0") is None
    np.testing.assert_allclose(alone.predict("test"), 0.5)


def test_a_pretrained_model_is_stacked_with_the_fold_that_left_the_sample_out(folder):
    made = with_pretrained(folder, Method.STACKED_RIDGE, [*SAMPLES, "test"])
    before = {sample: made.predict(sample) for sample in SAMPLES}
    write_labels(folder, "s0", DRAW.uniform(-0.8, 0.8, size=(40, 2)))
    after = with_pretrained(folder, Method.STACKED_RIDGE, [*SAMPLES, "test"])
    for sample, fold in SAMPLES.items():
        same = np.array_equal(after.predict(sample), before[sample])
        assert same == (fold == SAMPLES["s0"])


def test_a_sample_that_an_experiment_lacks_has_no_ensemble(folder):
    made = ensemble(folder, Method.CCC_WEIGHTED)
    assert made.predict("nowhere") is None
    assert ensemble(folder, Method.MEAN).predict("nowhere") is None

"""The paired bootstrap, against one that draws and concatenates frames, and against scipy's."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from circumplex.ccc import ccc
from circumplex.evaluation.comparison import (
    Scored,
    ccc_of_sums,
    common_samples,
    compare_scores,
    sum_frames,
)
from circumplex.evaluation.scores import evaluate, read_pairs
from circumplex.predictions.table import PredictionTable
from circumplex.targets import Target
from synthetic_report import Corpus

NAMES = [f"s{k}" for k in range(12)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on twelve samples of different lengths; the second has less noise in valence."""
    corpus = Corpus(tmp_path_factory.mktemp("runs"))
    for k, name in enumerate(NAMES):
        corpus.add(name, frames=40 + 17 * k)
    labels = {sample.name: sample.labels for sample in corpus.samples}
    first = corpus.ensemble("first", NAMES)
    rng = np.random.default_rng(5)
    for name, (time_s, values) in corpus.predicted.items():
        noise = rng.normal(0, [0.02, 0.3], values.shape) + rng.normal(0, 0.1)
        corpus.predicted[name] = time_s, np.clip(values * 1.2 + noise, -1, 1)
    second = corpus.ensemble("second", NAMES)
    return [Scored(PredictionTable(path), labels) for path in (first, second)]


def frames_of(run, column):
    """Predictions and annotation of each sample, its annotated frames alone."""
    found = []
    for predicted, annotated in read_pairs(run.table, NAMES, run.labels):
        valid = ~np.isnan(annotated[:, column])
        found.append((predicted[valid, column].astype(float), annotated[valid, column]))
    return found


def ccc_together(samples, drawn):
    return ccc(*(np.concatenate([samples[k][side] for k in drawn]) for side in (0, 1)))


def test_the_ccc_is_that_of_the_table(runs):
    found = compare_scores(*runs, NAMES, draws=10)
    for side, run in enumerate(runs):
        table = {
            row.target: row.ccc
            for row in evaluate("m", "val", read_pairs(run.table, NAMES, run.labels))
        }
        for target in Target:
            value = (found[target].first, found[target].second)[side]
            assert value == pytest.approx(table[target], abs=1e-12)


def test_the_interval_is_that_of_frames_drawn_and_concatenated(runs):
    draws, seed = 300, 3
    found = compare_scores(*runs, NAMES, draws=draws, seed=seed)
    count = len(NAMES)
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    for column, target in enumerate(Target):
        one, other = (frames_of(run, column) for run in runs)
        gains = []
        for drawn in (np.repeat(np.arange(count), row) for row in times):
            gains.append(ccc_together(other, drawn) - ccc_together(one, drawn))
        expected = np.percentile(gains, [2.5, 97.5])
        assert (found[target].low, found[target].high) == pytest.approx(expected, abs=1e-9)
        assert found[target].share_above == np.mean(np.array(gains) > 0)


def test_the_interval_agrees_with_that_of_scipy(runs):
    found = compare_scores(*runs, NAMES)
    for column, target in enumerate(Target):
        one, other = (frames_of(run, column) for run in runs)

        def gain(drawn, one=one, other=other):
            return ccc_together(other, drawn) - ccc_together(one, drawn)

        result = bootstrap(
            (np.arange(len(NAMES)),),
            gain,
            vectorized=False,
            n_resamples=3000,
            method="percentile",
            rng=np.random.default_rng(1),
        )
        interval = result.confidence_interval
        width = interval.high - interval.low
        assert found[target].low == pytest.approx(interval.low, abs=0.1 * width)
        assert found[target].high == pytest.approx(interval.high, abs=0.1 * width)


def test_a_run_is_as_good_as_itself(runs):
    for found in compare_scores(runs[0], runs[0], NAMES).values():
        assert (found.difference, found.low, found.high, found.share_above) == (0, 0, 0, 0)


def test_each_sample_has_its_own_ccc(runs):
    found = compare_scores(*runs, NAMES, draws=10)
    for column, target in enumerate(Target):
        for k, name in enumerate(NAMES):
            for side, run in enumerate(runs):
                expected = ccc(*frames_of(run, column)[k])
                assert found[target].by_sample[name][side] == pytest.approx(expected, abs=1e-12)


def test_the_ccc_of_a_constant_is_zero_and_that_of_no_frame_undefined():
    constant = np.full(50, 0.3)
    varied = np.linspace(-1, 1, 50)

    def sums(x, y):
        return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])

    assert ccc_of_sums(sums(constant, constant)) == 0
    assert ccc_of_sums(sums(constant, varied)) == pytest.approx(ccc(constant, varied), abs=1e-12)
    assert np.isnan(ccc_of_sums(np.zeros(6)))


def test_samples_of_the_wanted_splits_that_both_have_are_compared(runs, tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("s1", frames=30)
    corpus.add("s2", frames=30)
    other = Scored(
        PredictionTable(corpus.ensemble("other", ["s1", "s2"])),
        {sample.name: sample.labels for sample in corpus.samples},
    )
    splits = {"s0": "val", "s1": "val", "s2": "test"}
    assert common_samples(runs[0], other, splits, {"val"}) == ["s1"]
    assert common_samples(runs[0], other, splits, {"val", "test"}) == ["s1", "s2"]
    assert sum_frames(other, "s1").shape == (2, 6)

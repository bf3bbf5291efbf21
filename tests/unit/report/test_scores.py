import math
import statistics

import pytest

from circumplex.report.scores import ScoreRow, read_scores, summarise_experiments
from synthetic_report import Corpus, scores


def row(name, fold, seed, valence, arousal, split="val"):
    return ScoreRow(name, fold, seed, split, valence, arousal, 100, 2)


def test_both_targets_of_a_model_or_ensemble_become_one_row(tmp_path):
    metrics = [
        *scores("ensemble", "final", "", "", -1, "val", 0.6, 0.5),
        *scores("ensemble", "final", "", "", -1, "test", 0.4, 0.3),
        *scores("model", "tr/1/seed2", "tr", "1", 2, "1", 0.2, 0.1),
    ]
    ensembles, models = read_scores(Corpus(tmp_path).metrics(metrics))
    assert ensembles == [
        ScoreRow("final", "", -1, "val", 0.6, 0.5, 1800, 6),
        ScoreRow("final", "", -1, "test", 0.4, 0.3, 1800, 6),
    ]
    assert models == [ScoreRow("tr", "1", 2, "1", 0.2, 0.1, 1800, 6)]
    assert models[0].mean == pytest.approx(0.15)


def test_an_undefined_or_missing_score_is_nan(tmp_path):
    both = scores("ensemble", "a", "", "", -1, "val", None, 0.5)
    half = scores("ensemble", "b", "", "", -1, "val", 0.5, 0.5)[:1]
    (a, b), models = read_scores(Corpus(tmp_path).metrics([*both, *half]))
    assert math.isnan(a.valence)
    assert a.arousal == 0.5
    assert b.valence == 0.5
    assert math.isnan(b.arousal)
    assert math.isnan(b.mean)
    assert models == []


def test_experiments_over_folds_and_seeds():
    rows = [
        *(row("x", "0", 0, 0.1, 0.3), row("x", "1", 0, 0.3, 0.5)),
        *(row("x", "0", 1, 0.2, 0.6), row("x", "1", 1, 0.6, 0.8)),
    ]
    (experiment,) = summarise_experiments(rows)
    assert (experiment.experiment, experiment.split) == ("x", "val")
    assert (experiment.folds, experiment.seeds) == (2, 2)
    valence, arousal, mean = experiment.scores
    assert valence.mean == pytest.approx(0.3)
    assert valence.deviation == pytest.approx(statistics.stdev([0.2, 0.4]))
    assert arousal.mean == pytest.approx(0.55)
    assert arousal.deviation == pytest.approx(statistics.stdev([0.4, 0.7]))
    assert mean.mean == pytest.approx(0.425)
    assert mean.deviation == pytest.approx(statistics.stdev([0.3, 0.55]))


def test_one_seed_has_no_deviation():
    (experiment,) = summarise_experiments([row("x", "0", 5, 0.1, 0.2), row("x", "1", 5, 0.5, 0.2)])
    assert (experiment.folds, experiment.seeds) == (2, 1)
    assert experiment.scores[0].mean == pytest.approx(0.3)
    assert all(math.isnan(spread.deviation) for spread in experiment.scores)


def test_an_undefined_score_makes_mean_and_deviation_undefined():
    (experiment,) = summarise_experiments(
        [row("x", "0", 0, math.nan, 0.2), row("x", "0", 1, 0.5, 0.4)]
    )
    valence, arousal, _ = experiment.scores
    assert math.isnan(valence.mean)
    assert math.isnan(valence.deviation)
    assert arousal.deviation == pytest.approx(statistics.stdev([0.2, 0.4]))


def test_experiments_and_splits_stay_apart():
    rows = [row("x", "0", 0, 0.1, 0.1), row("y", "0", 0, 0.2, 0.2)]
    rows += [row("x", "0", 0, 0.3, 0.3, split="test")]
    found = {(r.experiment, r.split): r.scores[2].mean for r in summarise_experiments(rows)}
    assert found == pytest.approx({("x", "val"): 0.1, ("y", "val"): 0.2, ("x", "test"): 0.3})

"""Search of hyperparameters: proposals, what a trial trains, and what comes of it."""

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from circumplex.config.search import preset, rounds, trial_training
from circumplex.config.training import TrainingSpec
from circumplex.errors import RequestError
from circumplex.io.atomic import read_json
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.jobs.search import propose_round, summarise_search
from circumplex.pipeline.requests import ProposalRequest, SearchRequest
from circumplex.training.search import Finished, Sampler, propose, read_trials, rows
from example_requests import ROWS, config_of, write_sheet
from running_jobs import running_job

SPACE = {
    "learning_rate": {"low": 1e-5, "high": 1e-2},
    "dropout": {"low": 0.1, "high": 0.5},
    "hidden": [64, 128],
    "features": [["fau"], ["fau", "wav2vec2"]],
}


def test_rounds_cover_all_trials_once():
    for trials, parallel in ((1, 4), (8, 4), (9, 4), (5, 1)):
        found = rounds(trials, parallel)
        assert [t for each in found for t in each] == list(range(trials))
        assert all(len(each) <= parallel for each in found)


def goodness(parameters):
    """A made score with its best at learning rate 1e-3, dropout 0.2, 128, the second set."""
    return (
        -abs(math.log10(parameters["learning_rate"]) + 3)
        - abs(parameters["dropout"] - 0.2)
        + 0.3 * (parameters["hidden"] == 128)
        + 0.3 * parameters["features"]
    )


def search(sampler, seed, trials=32, parallel=4):
    finished = []
    for each in rounds(trials, parallel):
        for parameters in propose(SPACE, finished, len(each), sampler, seed):
            finished = [*finished, Finished(parameters, goodness(parameters))]
    return finished


@pytest.mark.parametrize("sampler", list(Sampler))
def test_a_seed_gives_the_same_proposals_within_the_space_and_another_others(sampler):
    first, again, other = (search(sampler, seed, 12) for seed in (0, 0, 1))
    assert first == again
    assert [f.parameters for f in first] != [f.parameters for f in other]
    for trial in first:
        assert 1e-5 <= trial.parameters["learning_rate"] <= 1e-2
        assert 0.1 <= trial.parameters["dropout"] <= 0.5
        assert trial.parameters["hidden"] in (64, 128)
        assert trial.parameters["features"] in (0, 1)
    assert len({trial.parameters["learning_rate"] for trial in first}) == 12


def test_tpe_leans_on_scores():
    """Late trials score better than early ones, which were drawn at random."""
    gains = []
    for seed in range(4):
        scores = [trial.score for trial in search(Sampler.TPE, seed, 40)]
        gains.append(sum(scores[-8:]) / 8 - sum(scores[:8]) / 8)
    assert min(gains) > 0
    assert sum(gains) / 4 > 0.5


def test_a_trial_that_came_to_nothing_is_no_score_and_stops_nothing():
    proposed = propose(SPACE, [], 4, Sampler.TPE, 0)
    finished = [Finished(p, math.nan if i else 0.5) for i, p in enumerate(proposed)]
    assert len(propose(SPACE, finished, 4, Sampler.TPE, 0)) == 4


def test_what_a_space_leaves_out_is_not_proposed():
    (parameters,) = propose({"features": [["fau"]]}, [], 1, Sampler.TPE, 0)
    assert parameters == {"features": 0}


def plan_of(tmp_path, **changes):
    config = config_of("search")
    config["samples"] = str(write_sheet(tmp_path / "samples.tsv", ROWS))
    config["results"] = str(tmp_path / "results")
    config["search"] = {**config["search"], **changes}
    return make_plan(config)


def test_a_trial_trains_what_the_best_preset_would(tmp_path):
    """The preset that is written asks for exactly the training that was scored."""
    space = {**SPACE, "features": [["fau"], ["densenet", "wav2vec2"]]}
    plan = plan_of(tmp_path, space=space, training={"epochs": 7}, encoder_options={"layers": 2})
    parameters = {"learning_rate": 1e-4, "dropout": 0.2, "hidden": 64, "features": 1}
    values = trial_training(plan.search_choices, parameters)
    spec = TrainingSpec.read(values)
    assert (spec.learning_rate, spec.epochs) == (1e-4, 7)
    assert (spec.encoder.dropout, spec.encoder.hidden, spec.encoder.layers) == (0.2, 64, 2)
    assert spec.features == ("densenet", "wav2vec2")
    found = yaml.safe_load(yaml.safe_dump(preset(plan.search, parameters)))
    config = {**config_of(), "samples": plan.config["samples"], "results": str(tmp_path / "r")}
    best = make_plan({**config, **found})
    assert best.training_values("search_best") == values
    assert [run.seed for run in best.runs] == [0, 1, 2]


def test_all_features_of_the_space_are_made_and_no_other_trial_is_known(tmp_path):
    plan = plan_of(tmp_path, space={"features": [["fau"], ["mfcc"]]}, trials=5, parallel=2)
    assert {"fau", "mfcc"} <= {feature.name for feature in plan.features}
    assert [list(each) for each in plan.search_rounds] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"features": [["fua"]]}}, "did you mean"),
        ({"space": {"features": [["fau"]], "hidden": [30]}}, "multiple of heads"),
        ({"space": {"features": [["fau"]], "dropout": {"low": 0.3, "high": 0.3}}}, "below high"),
        ({"space": {"features": [["fau"]], "dropout": {"low": 0.3, "high": 1}}}, "high"),
        ({"space": {"features": [["fau"]], "learning_rate": {"low": 0, "high": 1}}}, "low"),
        ({"trials": 0}, "trials"),
        ({"sampler": "grid"}, "sampler"),
    ],
)
def test_invalid_searches_are_refused(tmp_path, changes, message):
    with pytest.raises(RequestError, match=message):
        plan_of(tmp_path, **changes)


def test_a_search_needs_a_validation_split(tmp_path):
    config = config_of("search")
    kept = [{**row, "split": "train" if row["split"] == "val" else row["split"]} for row in ROWS]
    config["samples"] = str(write_sheet(tmp_path / "samples.tsv", kept))
    for name, experiment in config["experiments"].items():
        config["experiments"][name] = {**experiment, "strategy": "train_val_mix"}
    with pytest.raises(RequestError, match="samples of both"):
        make_plan(config)


def test_from_proposals_to_the_best_preset(tmp_path):
    """Both jobs over two rounds, with scores such that the best trial is known."""
    round_files, epochs = [], []
    for number in range(2):
        path = tmp_path / f"round{number}.json"
        inputs = {"rounds": [*round_files], "epochs": [*epochs]}
        request = ProposalRequest("propose_trials", "code", SPACE, "tpe", seed=3, count=2)
        propose_round(running_job(tmp_path, request, inputs, {"round": path}))
        round_files.append(path)
        for trial in (2 * number, 2 * number + 1):
            table = tmp_path / f"trial{trial}.parquet"
            values = {0: [0.1, 0.2], 1: [], 2: [0.5, 0.3], 3: [0.4, 0.4]}[trial]
            columns = {
                "ccc_valence": pa.array(values, pa.float64()),
                "ccc_arousal": pa.array(values[::-1], pa.float64()),
            }
            pq.write_table(pa.table(columns), table)
            epochs.append(table)
    trials = read_trials(round_files, epochs)
    assert [trial.score for trial in trials[2:]] == [0.5, 0.4]
    assert math.isnan(trials[1].score)
    assert [row["trial"] for row in rows(trials, SPACE)] == [2, 3, 0, 1]
    assert trials[3].parameters == read_json(round_files[1])[1]
    outputs = [tmp_path / name for name in ("trials.csv", "trials.md", "best.yaml")]
    inputs = {"rounds": round_files, "epochs": epochs}
    request = SearchRequest("summarise_search", "code", {"encoder": "lstm", "space": SPACE})
    summary = running_job(
        tmp_path, request, inputs, dict(zip(("csv", "markdown", "best"), outputs, strict=True))
    )
    summarise_search(summary)
    assert outputs[0].read_text().splitlines()[1].startswith("2,")
    assert outputs[1].read_text().count("\n|") == 5 + 1
    best = yaml.safe_load(outputs[2].read_text())["experiments"]["search_best"]
    assert best["training"]["learning_rate"] == trials[2].parameters["learning_rate"]
    assert best["features"] == SPACE["features"][trials[2].parameters["features"]]
    for path in epochs:
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(ValueError, match="no trial has a score"):
        summarise_search(summary)

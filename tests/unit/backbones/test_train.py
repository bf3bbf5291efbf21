"""Backbones: what a loss counts, what a killed training ends in, what the extractors load."""

import json

import numpy as np
import pytest
import torch

from circumplex.backbones.metrics import ExpressionScore, UnitScore, confusion, unit_counts
from circumplex.backbones.model import build_model, compute_loss, make_answers, positive_weights
from circumplex.backbones.schedule import compute_rate
from circumplex.backbones.stills import StillSplit, read_stills
from circumplex.backbones.train import STATE, train_backbone
from circumplex.backbones.worker import Description, event_row, read_record, run
from circumplex.config.recipes import Recipe
from circumplex.config.still_sets import Target
from circumplex.errors import RequestError
from circumplex.features.extractors import densenet, iresnet
from circumplex.networks.reproducible import NonFinite
from event_files import read_events
from small_still_sets import make_set

EXPRESSION = {"task": "expression", "network": "densenet", "batch_size": 8, "epochs": 2}
UNITS = {"task": "action_units", "network": "iresnet", "depth": 18, "units": [1, 2, 4, 26]}


class Killed(Exception):
    """The training is killed after an epoch."""


def kill(_):
    raise Killed


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stills")
    return {
        "eight": make_set(folder, "eight"),
        "seven": make_set(folder, "seven", classes=7),
        "units": make_set(folder, "units", classes=0, units=(1, 4)),
    }


def chosen(tables, *names):
    return {name: tables[name] for name in names}


@pytest.mark.slow
def test_a_killed_training_ends_in_the_same_bytes_and_scores(tables, tmp_path):
    recipe = Recipe.parse(
        "r", {**EXPRESSION, "phases": [["eight"], ["eight", "seven"]], "ema": 0.9}
    )
    of = chosen(tables, "eight", "seven")
    whole = train_backbone(recipe, of, tmp_path / "whole")
    for _ in range(3):  # after each epoch, the first of the second phase too
        with pytest.raises(Killed):
            train_backbone(recipe, of, tmp_path / "killed", on_epoch=kill)
    resumed = train_backbone(recipe, of, tmp_path / "killed")
    assert resumed.state.keys() == whole.state.keys()
    assert all(torch.equal(resumed.state[k], v) for k, v in whole.state.items())
    assert resumed.log == whole.log
    assert [row["phase"] for row in whole.log] == [1, 1, 2, 2]
    of_sets = {
        split: {n: s.values() for n, s in sets.items()} for split, sets in whole.scores.items()
    }
    assert of_sets == {
        split: {n: s.values() for n, s in sets.items()} for split, sets in resumed.scores.items()
    }
    assert of_sets["test"]["seven"]["images"] == 8


@pytest.mark.slow
def test_a_state_of_another_training_is_not_resumed(tables, tmp_path):
    of = chosen(tables, "eight")
    with pytest.raises(Killed):
        train_backbone(
            Recipe.parse("r", {**EXPRESSION, "phases": [["eight"]]}), of, tmp_path, on_epoch=kill
        )
    assert (tmp_path / STATE).is_file()
    other = Recipe.parse("r", {**EXPRESSION, "phases": [["eight"]], "seed": 1, "epochs": 1})
    assert [row["epoch"] for row in train_backbone(other, of, tmp_path).log] == [1]


@pytest.mark.slow
def test_the_extractors_load_what_is_trained(tables, tmp_path):
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    for values, of, build in (
        ({**EXPRESSION, "phases": [["eight"]], "epochs": 1}, "eight", densenet.build),
        ({**UNITS, "phases": [["units"]], "epochs": 1, "batch_size": 16}, "units", iresnet.build),
    ):
        output = tmp_path / f"{of}.safetensors"
        run(
            Description(
                of,
                values,
                {of: str(tables[of])},
                None,
                str(tmp_path / f"{of}.work"),
                str(output),
                str(tmp_path / f"{of}.tensorboard"),
                "cpu",
                1,
            )
        )
        curves = read_events(tmp_path / f"{of}.tensorboard")
        (row,) = read_record(output)["log"]
        assert curves["loss"] == [(1, pytest.approx(row["loss"]))]
        assert curves["score"] == [(1, pytest.approx(row["score"]))]
        depth = {"depth": values["depth"]} if "depth" in values else {}
        extractor = build({"weights": str(output), "batch_size": 2, **depth})
        batch = np.stack([extractor.prepare(crop)] * 2)
        assert np.isfinite(extractor.embed(batch)).all()
        record = read_record(output)
        assert len(record["log"]) == 1
    assert record["untrained"] == [2, 26]
    assert record["kept"] == {"phase": 1, "epoch": 1}
    assert record["torch"] == torch.__version__
    assert json.loads(json.dumps(record))["scores"]["val"]["units"]["units"]["2"]["annotated"] == 0


def test_a_loss_that_is_not_finite_names_images(tables, tmp_path):
    recipe = Recipe.parse("r", {**EXPRESSION, "phases": [["eight"]]})
    recipe = recipe.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(NonFinite, match=r"eight: \d{3}\.png, .* and \d+ more"):
        train_backbone(recipe, chosen(tables, "eight"), tmp_path)


@pytest.mark.slow
def test_patience_ends_a_phase_and_the_best_epoch_is_kept(tables, tmp_path):
    # So small a rate changes nothing: the first epoch stays the best.
    values = {"patience": 1, "epochs": 9, "phases": [["eight"]]}
    recipe = Recipe.parse("r", {**EXPRESSION, **values})
    recipe = recipe.model_copy(update={"learning_rate": 1e-30})
    result = train_backbone(recipe, chosen(tables, "eight"), tmp_path)
    scores = [row["score"] for row in result.log]
    assert len(scores) < 9
    assert scores[-1] <= max(scores[:-1])
    best = result.scores["val"]["eight"].value
    assert best == max(scores)
    assert result.kept == {"phase": 1, "epoch": scores.index(max(scores)) + 1}


def test_what_is_not_annotated_costs_nothing():
    recipe = Recipe.parse("r", {**UNITS, "phases": [["a", "b"]]})
    logits = [torch.randn(3, 4, requires_grad=True) for _ in range(2)]
    targets = torch.tensor([[1.0, 0, torch.nan, 1], [torch.nan] * 4, [0, 1, 0, torch.nan]])
    compute_loss(recipe, logits, torch.tensor([0, 0, 1]), targets, torch.ones(4)).backward()
    assert torch.equal(
        logits[0].grad != 0, torch.tensor([[True, True, False, True], [False] * 4, [False] * 4])
    )
    assert torch.equal(logits[1].grad[2] != 0, torch.tensor([True, True, True, False]))


def test_the_loss_of_classes_is_the_mean_cross_entropy_of_each_sets_own_head():
    recipe = Recipe.parse("r", {**EXPRESSION, "phases": [["a", "b"]]})
    logits = [torch.randn(4, 8), torch.randn(4, 7)]
    labels, sets = torch.tensor([3, 6, 0, 5]), torch.tensor([0, 1, 1, 0])
    targets = torch.full((4, 8), torch.nan)
    for k, (label, of) in enumerate(zip(labels, sets, strict=True)):
        targets[k, : logits[of].shape[1]] = torch.eye(logits[of].shape[1])[label]
    expected = np.mean(
        [
            -float(logits[of][k].log_softmax(0)[label])
            for k, (label, of) in enumerate(zip(labels, sets, strict=True))
        ]
    )
    found = compute_loss(recipe, logits, sets, targets, torch.ones(8))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_set_of_seven_classes_reads_the_first_seven_of_the_densenet(tables):
    recipe = Recipe.parse("r", {**EXPRESSION, "phases": [["eight", "seven"]]})
    sets = [read_stills(tables[name]) for name in recipe.sets]
    model = build_model(recipe, sets, None).eval()
    eight, seven = model(torch.zeros(1, 1, 64, 64))
    assert torch.equal(eight[:, :7], seven)


@pytest.mark.parametrize("target", list(Target))
def test_targets_follow_the_votes(tmp_path, target):
    votes = (0.5, 0.25, 0.25, 0, 0, 0, 0, 0)
    path = make_set(tmp_path, "voted", images=64, target=target, votes=votes)
    recipe = Recipe.parse("r", {**EXPRESSION, "phases": [["voted"]]})
    stills = read_stills(path, StillSplit.TRAIN)
    targets = make_answers(recipe, stills, np.random.default_rng(0)).targets
    assert np.allclose(targets.sum(axis=1), 1)
    if target is Target.MAJORITY:
        assert np.array_equal(targets.argmax(axis=1), stills.labels)
    elif target is Target.CROSS_ENTROPY:
        assert np.allclose(targets, votes)
    else:
        assert set(np.unique(targets)) == {0, 1}
        assert np.abs(targets.mean(axis=0) - votes).max() < 0.2
        assert targets[:, 3:].sum() == 0


def test_an_image_that_shows_a_rare_unit_counts_as_often_as_it_is_rare(tables):
    recipe = Recipe.parse("r", {**UNITS, "phases": [["units"]], "max_positive_weight": 3})
    stills = read_stills(tables["units"], StillSplit.TRAIN)
    answers = make_answers(recipe, stills, np.random.default_rng(0))
    rare = answers.targets.copy()
    rare[:, 0] = [1] + [0] * 15
    answers.targets[:] = rare
    # 15 to 1, at most 3; not annotated; 8 to 8; not annotated.
    assert positive_weights(recipe, [answers]).tolist() == [3, 1, 1, 1]


def test_scores_of_counts_worked_out_by_hand():
    counts = confusion(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0]), 4)
    score = ExpressionScore(("a", "b", "c", "d"), counts)
    assert score.value == pytest.approx(4 / 6)
    assert score.values()["mean_recall"] == pytest.approx((2 / 3 + 1 + 0) / 3)  # d never occurs
    nan = np.nan
    truth = np.array([[1, 0, nan], [1, 1, nan], [0, nan, nan], [1, 0, nan]])
    found = np.array(
        [[True, True, True], [False, True, True], [True, True, True], [True, False, True]]
    )
    units = UnitScore((1, 2, 4), unit_counts(truth, found))
    assert units.f1[:2] == pytest.approx([2 * 2 / (2 * 2 + 1 + 1), 2 * 1 / (2 + 1)])
    assert np.isnan(units.f1[2])
    assert units.value == pytest.approx((4 / 6 + 2 / 3) / 2)


def test_the_learning_rates_course():
    values = {**EXPRESSION, "phases": [["a"]], "learning_rate": 1.0, "epochs": 100}
    halving = Recipe.parse("r", {**values, "decay": "halving", "halve_every": 40})
    assert [compute_rate(halving, e) for e in (0, 39.9, 40, 80)] == [1, 1, 0.5, 0.25]
    cosine = Recipe.parse("r", {**values, "decay": "cosine", "warm_up": 2})
    assert compute_rate(cosine, 1) == pytest.approx(0.5)
    assert compute_rate(cosine, 2) == pytest.approx(1)
    assert compute_rate(cosine, 51) == pytest.approx(0.5)
    assert compute_rate(cosine, 100) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**EXPRESSION, "phases": [["a", "a"]]}, "names a set twice"),
        ({**UNITS, "network": "densenet", "phases": [["a"]]}, "the DenseNet learns expressions"),
        ({**EXPRESSION, "phases": [["a"]], "units": [1]}, "units are named where"),
    ],
)
def test_what_does_not_go_together_is_refused(values, message):
    with pytest.raises(RequestError, match=message):
        Recipe.parse("r", values)


def test_an_unknown_augmentation_is_refused_by_name(tables, tmp_path):
    values = {**EXPRESSION, "phases": [["eight"]], "augmentation": {"shear": 1}}
    with pytest.raises(RequestError, match="shear"):
        train_backbone(Recipe.parse("r", values), chosen(tables, "eight"), tmp_path)


def test_no_tables_label_is_an_error(tables, tmp_path):
    values = {**EXPRESSION, "phases": [["units"]]}
    with pytest.raises(RequestError, match="no training image with a label"):
        train_backbone(Recipe.parse("r", values), chosen(tables, "units"), tmp_path)


def test_epochs_count_on_through_the_phases_in_tensorboard():
    row = {"phase": 2, "epoch": 3, "learning_rate": 0.1, "loss": 1.5, "score": None, "a": 0.5}
    assert event_row(row, 10) == {"epoch": 13, "learning_rate": 0.1, "loss": 1.5, "a": 0.5}

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from circumplex.backbones.forward import ForwardPass
from circumplex.backbones.material import Material
from circumplex.backbones.model import make_answers
from circumplex.backbones.processes import Processes
from circumplex.backbones.scoring import Scorer
from circumplex.backbones.stills import StillSplit
from circumplex.config.recipes import Recipe
from circumplex.networks.reproducible import NonFinite
from small_still_sets import make_set

EXPRESSION = {"task": "expression", "network": "iresnet", "depth": 18, "batch_size": 3}
UNITS = {"task": "action_units", "network": "iresnet", "depth": 18, "units": [1, 4]}


class Brightest(nn.Module):
    """Sees which of the eight parts is bright, as synthetic classes are drawn."""

    def __init__(self):
        super().__init__()
        self.sign = nn.Parameter(torch.ones(()))

    def forward(self, images):
        parts = functional.adaptive_avg_pool2d(images.mean(dim=1), (2, 4)).flatten(1)
        return [self.sign * parts] * 2


class DarkBands(nn.Module):
    """Sees which of the upper bands are dark, as synthetic action units are drawn."""

    def forward(self, images):
        right = images[..., 56:]
        bands = [right[:, :, 20 * k : 20 * k + 20].mean(dim=(1, 2, 3)) for k in range(2)]
        return [-0.4 - torch.stack(bands, dim=1)]  # 75 of 255 lies between dark and bright


def scorer_of(recipe, tables):
    material = Material.read(recipe, tables)
    rng = np.random.default_rng(0)
    answers = {
        split: [make_answers(recipe, stills, rng) for stills in sets]
        for split, sets in material.splits.items()
    }
    forward = ForwardPass(recipe, torch.device("cpu"), workers=0)
    return Scorer(recipe, material, answers, forward, Processes())


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stills")
    tables = {name: make_set(folder, name) for name in ("a", "b")}
    return scorer_of(Recipe.parse("r", {**EXPRESSION, "phases": [["a", "b"]]}), tables)


def test_a_network_that_sees_the_class_has_every_image_right(scorer):
    model = Brightest()
    scores = scorer.score(model, model.state_dict(), StillSplit.VAL, [1])
    assert list(scores) == ["b"]
    assert np.array_equal(scores["b"].counts, np.eye(8))
    assert not model.training


def test_other_weights_are_scored_and_its_own_stay(scorer):
    model = Brightest()
    scores = scorer.score(model, {"sign": torch.tensor(-1.0)}, StillSplit.TRAIN, [0, 1])
    assert {name: score.value for name, score in scores.items()} == {"a": 0.0, "b": 0.0}
    assert float(model.sign.detach()) == 1.0


def test_an_output_that_is_not_finite_names_images(scorer):
    with pytest.raises(NonFinite, match=r"one of the images b: \d+\.png, .*png$"):
        scorer.score(Brightest(), {"sign": torch.tensor(torch.nan)}, StillSplit.VAL, [1])


def test_action_units_are_counted_each_for_itself(tmp_path):
    recipe = Recipe.parse("r", {**UNITS, "phases": [["u"]]})
    scorer = scorer_of(recipe, {"u": make_set(tmp_path, "u", classes=0, units=(1, 4))})
    scores = scorer.score(DarkBands(), {}, StillSplit.VAL, [0])
    # Half of the eight images show each unit: true and false positives, false and true negatives.
    assert scores["u"].counts.tolist() == [[4, 0, 0, 4]] * 2
    assert scores["u"].value == 1.0

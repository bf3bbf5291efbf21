"""Backbones in the plan: which recipe is trained for which feature, and what is refused."""

from pathlib import Path

import pytest

from circumplex.errors import RequestError
from circumplex.pipeline.backbone_plan import BackbonePlan
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.graph import Graph
from example_requests import ROWS, builder_of, config_of, overlay, write_sheet


def backbones(folder: Path, **changes) -> BackbonePlan:
    """The part on backbones of the demo's plan, with changes of its config."""
    places = {
        "samples": str(write_sheet(folder / "samples.tsv", ROWS)),
        "results": str(folder / "results"),
    }
    return make_plan(overlay(overlay(config_of("demo"), places), changes)).backbones


def test_the_demo_trains_a_network_for_each_visual_feature(tmp_path) -> None:
    plan = backbones(tmp_path)
    assert plan.trained == {
        "densenet": "expression_densenet",
        "iresnet": "expression_iresnet",
        "fau": "action_unit_iresnet",
    }
    assert plan.recipes["expression_densenet"].blocks == (6, 9, 22)
    assert plan.recipes["action_unit_iresnet"].channels == 16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features": {"fau": {"weights": "trained:action_units_iresnet"}}},
            "features.fau.weights: trained:action_units_iresnet: no such recipe; did you mean",
        ),
        (
            {"features": {"vggish": {"weights": "trained:expression_iresnet"}}},
            "features.vggish.weights.*: recipes make weights of densenet, iresnet, fau",
        ),
        (
            {"features": {"fau": {"weights": "trained:expression_densenet"}}},
            "trains network: densenet, not iresnet",
        ),
        ({"features": {"fau": {"depth": 34}}}, "trains depth: 18, the feature has 34"),
        ({"features": {"iresnet": {"channels": 64}}}, "trains channels: 16, the feature has 64"),
        (
            {"features": {"densenet": {"blocks": [16, 16, 16]}}},
            r"trains blocks: \[6, 9, 22\], the feature has \[16, 16, 16\]",
        ),
        (
            {"backbones": {"recipes": {"expression_densenet": {"blocks": [1, 2, 3]}}}},
            r"recipes.expression_densenet.blocks: \[1, 2, 3\] end in 57 values per face",
        ),
        (
            {
                "backbones": {
                    "still_sets": {"drawn": None, "drawm": {"kind": "image_table", "path": "x"}}
                }
            },
            "trains on drawn, which .* does not declare; did you mean 'drawm'",
        ),
        (
            {
                "backbones": {
                    "recipes": {"expression_iresnet": {"start": "trained:expression_densenet"}}
                }
            },
            "start is 'trained:expression_densenet'; name a file or published weights",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, changes, message) -> None:
    with pytest.raises(RequestError, match=message):
        backbones(tmp_path, **changes)


def still_set(path: str) -> dict:
    return {"ferplus": {"kind": "ferplus", "path": path}}


def test_a_recipe_whose_sets_are_not_all_declared_names_the_cure(tmp_path) -> None:
    config = config_of()
    config["samples"] = str(write_sheet(tmp_path / "samples.tsv", ROWS))
    with pytest.raises(RequestError, match="no backbone can be trained") as caught:
        make_plan(config).backbones.require_any()
    assert "expression_densenet: it trains on ferplus, affectnet, which" in str(caught.value)
    config["backbones"]["still_sets"] = still_set("f")
    plan = make_plan(config).backbones
    with pytest.raises(RequestError, match=r"train without it: phases: \[\[ferplus\]\]"):
        plan.require("expression_densenet")
    with pytest.raises(RequestError, match=r"expression_iresnet.*phases: \[\[ferplus\]\]"):
        plan.require_any()
    config["backbones"]["recipes"]["expression_densenet"]["phases"] = [["ferplus"]]
    assert make_plan(config).backbones.require_any() == ["expression_densenet"]


def test_backbones_need_no_sample_sheet(tmp_path) -> None:
    config = config_of()
    config |= {"samples": str(tmp_path / "none.tsv"), "results": str(tmp_path / "results")}
    config["backbones"]["recipes"]["expression_densenet"]["phases"] = [["ferplus"]]
    with pytest.raises(RequestError, match=r"none\.tsv is missing"):
        make_plan(config)
    config["backbones"]["still_sets"] = still_set(str(tmp_path))
    (tmp_path / "fer2013.csv").write_text("x")
    builder = builder_of(config, tmp_path)
    builder.prepare()
    graph = Graph(builder)
    job = graph.job("train_backbone", "expression_densenet")
    assert job.inputs == {"stills": ("list_stills/ferplus.parquet",)}
    assert graph.job("list_stills", "ferplus").inputs == {}
    assert builder.weights.published() == []
    for stage, unit in (("check_failures", ""), ("make_report", ""), ("evaluate", "")):
        with pytest.raises(RequestError, match=r"none\.tsv is missing.*backbones alone"):
            graph.job(stage, unit)

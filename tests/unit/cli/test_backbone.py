"""``circumplex backbone``: sets from the command line, and the phases that they allow."""

import json

import pytest

from circumplex.cli import backbone
from circumplex.cli.main import main

FERPLUS = {"kind": "ferplus", "path": "data/f"}


@pytest.fixture
def calls(monkeypatch):
    """Runs of Snakemake: values of the config, and targets."""
    seen = []

    def run(values, _cores, _presets, *targets):
        seen.append((json.loads(json.dumps(values, default=str)), targets))
        return 0

    monkeypatch.setattr(backbone, "run_snakemake", run)
    return seen


def test_one_set_of_a_recipe_of_two_phases(calls, capsys):
    assert main(["backbone", "expression_densenet", "--still-set", "ferplus=data/f"]) == 0
    ((values, targets),) = calls
    recipe = {"expression_densenet": {"phases": [["ferplus"]]}}
    assert values["backbones"] == {"still_sets": {"ferplus": FERPLUS}, "recipes": recipe}
    assert values["results"] == "results"
    assert targets == ("results/backbones/expression_densenet.md",)
    said = capsys.readouterr().out
    assert "phases: [['ferplus']]" in said
    assert "densenet: {weights: results/backbones/expression_densenet.safetensors}" in said


def test_a_recipe_that_starts_from_published_weights_fetches_them_first(calls):
    words = ["--still-set", "rafdb=r", "--still-set", "ferplus=data/f", "--output", "o"]
    assert main(["backbone", "expression_iresnet", *words]) == 0
    assert [targets for _, targets in calls] == [
        ("weights",),
        ("o/backbones/expression_iresnet.md",),
    ]
    recipes = calls[1][0]["backbones"]["recipes"]
    assert recipes["expression_iresnet"]["phases"] == [["ferplus", "rafdb"]]


def test_sets_of_ones_own_take_the_place_of_the_recipes(calls, tmp_path):
    preset = tmp_path / "own.yaml"
    preset.write_text("backbones: {still_sets: {mine: {kind: rafdb, path: elsewhere}}}")
    words = ["--still-set", "mine=here", "--still-set", "faces=f.csv", "--configfile", str(preset)]
    assert main(["backbone", "expression_densenet", *words]) == 0
    made = calls[0][0]["backbones"]
    assert made["still_sets"] == {
        "mine": {"path": "here"},
        "faces": {"kind": "image_table", "path": "f.csv"},
    }
    assert made["recipes"]["expression_densenet"]["phases"] == [["mine", "faces"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["expression_densnet"], "has no expression_densnet; did you mean 'expression_densenet'"),
        (["expression_densenet"], "give --still-set ferplus=DIR"),
        (["expression_densenet", "--still-set", "mine=here"], "which layout is it?"),
        (
            ["expression_densenet", "--still-set", "ferplus=f", "--still-set", "mine=m.csv"],
            "trains on affectnet, ferplus, not on mine: say under phases",
        ),
    ],
)
def test_requests_that_cannot_be_met(words, message, calls, capsys):
    assert main(["backbone", *words]) == 1
    assert message in capsys.readouterr().err
    assert calls == []


def test_a_set_without_a_place_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["backbone", "expression_densenet", "--still-set", "ferplus"])
    assert "is not NAME=PATH" in capsys.readouterr().err

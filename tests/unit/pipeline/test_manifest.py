import math

from circumplex.evaluation.paper_tables import Cell, Line, Unit
from circumplex.pipeline.manifest import score_numbers, table_numbers, trained
from circumplex.pipeline.store import Entry, Status, write_index

TRACE = {
    "models": {"a/seed0": {"seed": 0}, "a/seed1": {"seed": 1}},
    "ensembles": {"e": {}},
    "features": {"fau": {}},
}


def test_models_get_their_checkpoints(tmp_path):
    indexes = []
    for seed in (0, 1):
        indexes.append(tmp_path / f"{seed}.json")
        entry = Entry(Status.OK, f"{seed}.safetensors", f"{seed}" * 64)
        write_index(indexes[-1], {f"a/seed{seed}": entry})
    manifest = trained(TRACE, map(str, indexes))
    assert manifest["models"] == {
        f"a/seed{seed}": {
            "seed": seed,
            "checkpoint": {"file": f"{seed}.safetensors", "sha256": f"{seed}" * 64},
        }
        for seed in (0, 1)
    }
    assert manifest["ensembles"] is TRACE["ensembles"]
    assert manifest["features"] is TRACE["features"]
    assert "checkpoint" not in TRACE["models"]["a/seed0"]


def test_a_pretrained_model_has_no_checkpoint(tmp_path):
    write_index(tmp_path / "0.json", {"a/seed0": Entry(Status.OK, "0.pt", "0" * 64)})
    models = trained(TRACE, [str(tmp_path / "0.json")])["models"]
    assert "checkpoint" in models["a/seed0"]
    assert models["a/seed1"] == {"seed": 1}


def test_an_export_names_its_checkpoints_already():
    assert trained(TRACE, []) == TRACE


def test_scores_come_from_the_model_itself():
    row = {"model": "m", "split": "val", "target": "valence", "ccc": 0.25, "frames": 7}
    assert score_numbers([row]) == [
        {
            "table": "evaluate/ccc",
            "row": "m",
            "split": "val",
            "target": "valence",
            "ccc": 0.25,
            "deviation": None,
            "from": {"m": 0.25},
        }
    ]


def test_table_numbers_name_every_unit_they_average():
    a, b, c = (Unit("model", name, "val") for name in "abc")
    cells = {
        "valence": Cell((0.2, 0.4), ((0.1, 0.3), (0.4,))),
        "arousal": Cell((0.5, 0.5), ((0.5, 0.5), (0.5,))),
    }
    line = Line("row", "val", cells, {}, 3, 90, ((a, b), (c,)))
    numbers = table_numbers("t", [line])
    assert [number["target"] for number in numbers] == ["valence", "arousal"]
    valence, arousal = numbers
    assert math.isclose(valence["ccc"], 0.3)
    assert math.isclose(valence["deviation"], math.sqrt(0.02))
    assert valence["from"] == {"a": 0.1, "b": 0.3, "c": 0.4}
    assert arousal["from"] == {"a": 0.5, "b": 0.5, "c": 0.5}
    assert {(n["table"], n["row"], n["split"]) for n in numbers} == {("t", "row", "val")}

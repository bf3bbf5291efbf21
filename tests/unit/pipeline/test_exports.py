import json
import logging

import pytest

from circumplex.errors import RequestError
from circumplex.io.digests import file_digest
from circumplex.pipeline.exports import MAY_CHANGE, check_features, read_export, write_export

DESCRIPTION = {
    "ensemble": "main",
    "members": {"valence": ["x"], "arousal": ["x"], "method": "mean", "alpha": 0.01},
    "experiments": {
        "x": {
            "encoder": "lstm",
            "encoder_options": {},
            "training": {},
            "features": ["fau"],
            "strategy": "official",
            "seeds": [0, 1],
        }
    },
    "folds": {"count": 5, "seed": 0},
    "features": {"fau": {"extract_fau": {"version": 1, "options": {}}}},
    "smoothing": {"convention": "paper", "valence": 20, "arousal": 50},
}
RUNS = ["x/official/seed0", "x/official/seed1"]


@pytest.fixture
def folder(tmp_path):
    models = {}
    for run in RUNS:
        models[run] = tmp_path / "models" / f"{run.replace('/', '-')}.pt"
        models[run].parent.mkdir(exist_ok=True)
        models[run].write_bytes(run.encode())
    write_export(tmp_path / "export", DESCRIPTION, models)
    return tmp_path / "export"


def test_round_trip_and_move(folder, tmp_path):
    description = read_export(folder)
    assert {k: description[k] for k in DESCRIPTION} == DESCRIPTION
    assert list(description["models"]) == RUNS
    assert (folder / f"{RUNS[0]}.pt").read_bytes() == RUNS[0].encode()
    folder.rename(tmp_path / "moved")
    assert read_export(tmp_path / "moved") == description


def test_an_altered_missing_or_swapped_model_is_named(folder):
    first, second = (folder / f"{run}.pt" for run in RUNS)
    kept = first.read_bytes()
    first.write_bytes(kept[:-1] + b"x")
    with pytest.raises(RequestError, match=f"{first} is missing or altered"):
        read_export(folder)
    first.unlink()
    with pytest.raises(RequestError, match=f"{first} is missing or altered"):
        read_export(folder)
    second.rename(first)
    second.write_bytes(kept)
    with pytest.raises(RequestError, match="altered"):
        read_export(folder)


@pytest.mark.parametrize("run", ["../x/official/seed0", "x/../seed0", "x"])
def test_a_model_is_never_outside_the_folder(folder, run):
    path = folder / "ensemble.json"
    description = json.loads(path.read_text())
    outside = folder / f"{run}.pt"
    outside.parent.mkdir(parents=True, exist_ok=True)
    outside.write_bytes(b"a model")
    description["models"] = {run: file_digest(outside)}
    path.write_text(json.dumps(description))
    with pytest.raises(RequestError, match=r"models: name .* does not match"):
        read_export(folder)


def change(folder, *place, value=None):
    """Set what the description says in a place; drop it where the value is none."""
    path = folder / "ensemble.json"
    description = json.loads(path.read_text())
    *above, last = place
    at = description
    for part in above:
        at = at[part]
    if value is None:
        del at[last]
    else:
        at[last] = value
    path.write_text(json.dumps(description))


LEFT_OUT = [(key,) for key in DESCRIPTION] + [
    ("members", "valence"),
    ("experiments", "x", "encoder"),
    ("experiments", "x", "features"),
    ("experiments", "x"),
    ("features", "fau", "extract_fau"),
    ("features", "fau", "extract_fau", "version"),
    ("features", "fau", "extract_fau", "options"),
    ("features", "fau"),
    ("models", RUNS[0]),
]
SMOOTHING = DESCRIPTION["smoothing"]
ALTERED = {
    ("ensemble",): ["../x", "", 1, ["x"], "a/b", "a\n", ".x"],
    ("members",): ["x", [], {"valence": ["x"], "arousal": ["y"]}],
    ("members", "seeds"): [["0"], [2], [-1], "0"],
    ("members", "valence"): ["x", [], ["../x"], [["x"]], [0]],
    ("members", "method"): ["best", "ccc_weighted", "stacked_ridge"],
    ("experiments",): [{}, [], {"a/../..": DESCRIPTION["experiments"]["x"]}],
    ("experiments", "x", "seeds"): [["0/../../y"], ["0"], [0, 1, 2], [0], [], [0.0], [True], 0],
    ("experiments", "x", "strategy"): ["../x", "kfold", "train_val_mix", 0],
    ("experiments", "x", "encoder"): ["../lstm", "none", 0],
    ("experiments", "x", "features"): [["../fau"], ["vggish"], [], "fau"],
    ("experiments", "x", "more"): [1],
    ("folds",): [{"count": 0}, {"count": "5"}, [], {"count": 5, "seed": "../0"}],
    ("features",): [{}, [], {"../x": {}}, {"fau": {}}, {"fau": []}],
    ("features", "fau", "../x"): [{"version": 1, "options": {}}],
    ("features", "fau", "extract_fau"): [[], {"version": "1", "options": {}}],
    ("features", "fau", "extract_fau", "version"): [0, "1", True, 1.5],
    ("features", "fau", "extract_fau", "options"): [[], "x", 1],
    ("smoothing",): [[], {"valence": -1}, {"convention": "other"}, {"search": {}}],
    ("models",): [{}, [], "x"],
    ("models", RUNS[0]): ["", "x" * 64, 0, "0" * 64],
    ("models", "x/official/seed2"): ["0" * 64],
    ("models", "x/fold1/seed0"): ["0" * 64],
    ("windows",): [[], {RUNS[0]: []}, {**dict.fromkeys(RUNS, SMOOTHING), "x": SMOOTHING}],
    ("combination",): [[], {"mean": {}}, {"valence": {"weights": {"x": "1"}, "intercept": 0}}],
    ("more",): [1],
}


@pytest.mark.parametrize("place", LEFT_OUT, ids=".".join)
def test_nothing_of_a_description_may_be_left_out(folder, place):
    change(folder, *place)
    with pytest.raises(RequestError, match=r"ensemble\.json is altered: "):
        read_export(folder)


@pytest.mark.parametrize(
    ("place", "value"), [(place, value) for place, values in ALTERED.items() for value in values]
)
def test_an_altered_description_is_refused_in_one_message(folder, place, value):
    change(folder, *place, value=value)
    with pytest.raises(RequestError, match=r"export .*export: .*altered"):
        read_export(folder)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_weights_of_a_combination_are_finite(folder, number):
    fitted = {"weights": {"x": 1.0}, "intercept": 0.0}
    change(folder, "members", "method", value="ccc_weighted")
    change(folder, "combination", value=dict.fromkeys(["valence", "arousal"], fitted))
    assert read_export(folder)["combination"]["valence"] == fitted
    path = folder / "ensemble.json"
    path.write_text(path.read_text().replace('"x": 1.0', f'"x": {number}'))
    with pytest.raises(RequestError, match=r"combination\.valence\.weights\.x is"):
        read_export(folder)


def test_seeds_and_experiments_without_a_model_are_left_out(folder):
    more = {**DESCRIPTION["experiments"]["x"], "seeds": [0, 1, 7]}
    change(folder, "members", "seeds", value=[0, 1])
    change(folder, "experiments", value={"x": more, "y": more})
    description = read_export(folder)
    assert list(description["experiments"]) == ["x"]
    assert description["experiments"]["x"]["seeds"] == [0, 1]


PRETRAINED = {
    "feature": "msp_dim",
    "valence": {"coefficients": {"valence": 2.0}, "intercept": -1.0},
    "arousal": {"coefficients": {"arousal": 2.0}, "intercept": -1.0},
    "source": "elsewhere",
}


def test_a_pretrained_member_has_no_model_of_its_own(folder):
    change(folder, "pretrained", value={"y": PRETRAINED, "unused": PRETRAINED})
    change(folder, "members", "valence", value=["x", "y"])
    with pytest.raises(RequestError, match="features lacks msp_dim, which model y/pretrained"):
        read_export(folder)
    change(folder, "features", "msp_dim", value=DESCRIPTION["features"]["fau"])
    description = read_export(folder)
    assert description["pretrained"] == {"y": PRETRAINED}
    assert description["timeline"] == {"rate": "native"}
    change(folder, "timeline", value={"rate": 25.0})
    assert read_export(folder)["timeline"] == {"rate": 25.0}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("feature", ["fau", "x"]),
        ("valence", {}),
        ("valence", {"coefficients": {"a": "1"}}),
        ("encoder", "lstm"),
        ("feature", 3),
        ("seeds", [0]),
    ],
)
def test_an_altered_pretrained_member_is_refused(folder, key, value):
    change(folder, "pretrained", value={"y": {**PRETRAINED, key: value}})
    with pytest.raises(RequestError, match=r"ensemble\.json is altered: .*pretrained\.y"):
        read_export(folder)


def test_not_an_export(folder, tmp_path):
    with pytest.raises(RequestError, match=r"nowhere, which holds no ensemble\.json"):
        read_export(tmp_path / "nowhere")
    text = (folder / "ensemble.json").read_text()
    deep = "[" * 100_000
    for damaged in (
        text[:50],
        "[]",
        "{}",
        "3",
        '{"a": ' + deep,
        deep,
        text.replace("{", '{"": 1,', 1),
        b"\xff",
    ):
        data = damaged if isinstance(damaged, bytes) else damaged.encode()
        (folder / "ensemble.json").write_bytes(data)
        with pytest.raises(RequestError, match="altered"):
            read_export(folder)


def test_a_half_written_export_is_not_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_export(tmp_path / "e", DESCRIPTION, {"x/official/seed0": tmp_path / "nowhere.pt"})
    with pytest.raises(RequestError, match="holds no"):
        read_export(tmp_path / "e")


def stage(version=1, **options):
    return {"version": version, "options": options}


EXPORTED = {
    "fau": {
        "align_faces": stage(min_face_size=30, crop_format="jpeg"),
        "extract_fau": stage(depth=100, batch_size=32),
    },
    "vggish": {"extract_vggish": stage(hop_s=0.24)},
}


def test_what_differs_is_named():
    check_features(EXPORTED, {**EXPORTED, "more": {}})
    check_features(json.loads(json.dumps(EXPORTED)), EXPORTED)
    faces = stage(min_face_size=10, crop_format="png")
    free = {"align_faces": faces, "extract_fau": stage(depth=100, batch_size=8, compile=True)}
    check_features(EXPORTED, {**EXPORTED, "fau": free})
    here = {"fau": {**free, "extract_fau": stage(depth=18, batch_size=8)}}
    with pytest.raises(RequestError) as raised:
        check_features(EXPORTED, here)
    said = str(raised.value)
    assert "fau: extract_fau: depth is 18, the export has 100" in said
    assert "vggish: the export has extract_vggish, this run has not" in said
    differences, advice = said.split("Set these options as the export has them.")
    assert "batch_size" not in differences
    assert "align_faces" not in differences
    for name, options in MAY_CHANGE.items():
        assert f"{name}: {', '.join(options)}" in advice


def test_an_option_that_only_one_side_has_differs():
    without = {**EXPORTED, "vggish": {"extract_vggish": stage()}}
    with pytest.raises(RequestError, match=r"hop_s is None, the export has 0\.24"):
        check_features(EXPORTED, without)
    with pytest.raises(RequestError, match=r"hop_s is 0\.24, the export has None"):
        check_features(without, EXPORTED)


def test_a_stage_that_the_export_lacks_is_a_difference():
    without = {**EXPORTED, "fau": {"extract_fau": EXPORTED["fau"]["extract_fau"]}}
    with pytest.raises(RequestError, match="fau: this run has align_faces, the export has not"):
        check_features(without, EXPORTED)


def test_another_version_of_a_stage_is_a_warning(caplog):
    here = {**EXPORTED, "vggish": {"extract_vggish": stage(version=2, hop_s=0.24)}}
    with caplog.at_level(logging.WARNING):
        check_features(EXPORTED, EXPORTED)
        assert caplog.text == ""
        check_features(EXPORTED, here)
    assert "vggish: extract_vggish has version 2 here, the export was made with version 1" in (
        caplog.text
    )


def test_weights_that_the_run_trained_go_along_and_are_described_by_content(tmp_path):
    for name in ("model.pt", "fau.safetensors"):
        (tmp_path / name).write_text(name)
    features = {"fau": {"extract_fau": stage(weights="trained:1", depth=18)}}
    description = {**DESCRIPTION, "features": features}
    models = dict.fromkeys(RUNS, tmp_path / "model.pt")
    trained = {"fau": tmp_path / "fau.safetensors"}
    write_export(tmp_path / "export", description, models, trained)
    (copy,) = [p for p in (tmp_path / "export").rglob("*.safetensors")]
    assert copy.read_text() == "fau.safetensors"
    options = read_export(tmp_path / "export")["features"]["fau"]["extract_fau"]["options"]
    assert options == {"weights": f"sha256:{file_digest(copy)}", "depth": 18}

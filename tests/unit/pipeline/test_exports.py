import json
import logging

import pytest

from circumplex.errors import RequestError
from circumplex.io.digests import file_digest
from circumplex.pipeline.exports import MAY_CHANGE, check_features, read_export, write_export

DESCRIPTION = {
    "ensemble": "main",
    "features": {"fau": {"extract_fau": {"version": 1, "options": {}}}},
    "smoothing": {"valence": 20},
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
    with pytest.raises(RequestError, match="cannot name a model"):
        read_export(folder)


@pytest.mark.parametrize("names", [{"ensemble": "../x"}, {"experiments": {"a/../..": {}}}])
def test_names_of_an_export_are_names(folder, names):
    path = folder / "ensemble.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **names}))
    with pytest.raises(RequestError, match="cannot name anything"):
        read_export(folder)


def test_not_an_export(folder, tmp_path):
    with pytest.raises(RequestError, match=r"nowhere, which holds no ensemble\.json"):
        read_export(tmp_path / "nowhere")
    text = (folder / "ensemble.json").read_text()
    for damaged in (text[:50], "[]", "{}", "\udcff".encode("utf-8", "surrogateescape")):
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
    description = {"ensemble": "main", "features": features}
    models = {RUNS[0]: tmp_path / "model.pt"}
    trained = {"fau": tmp_path / "fau.safetensors"}
    write_export(tmp_path / "export", description, models, trained)
    (copy,) = [p for p in (tmp_path / "export").rglob("*.safetensors")]
    assert copy.read_text() == "fau.safetensors"
    options = read_export(tmp_path / "export")["features"]["fau"]["extract_fau"]["options"]
    assert options == {"weights": f"sha256:{file_digest(copy)}", "depth": 18}

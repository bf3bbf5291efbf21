import json

import pytest

from circumplex.errors import RequestError
from circumplex.io.digests import file_digest
from circumplex.pipeline.exports import check_identities, read_export, write_export

DESCRIPTION = {"ensemble": "main", "features": {"fau": {"code": "1"}}, "smoothing": {"valence": 20}}
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


def test_what_differs_is_named():
    exported = {"fau": {"options": {"depth": 100}, "code": "1"}, "vggish": {"code": "2"}}
    check_identities(exported, {**exported, "more": {}})
    check_identities(json.loads(json.dumps(exported)), exported)
    here = {"fau": {"options": {"depth": 18}, "code": "1"}, "vggish": {"code": "2"}}
    with pytest.raises(RequestError) as raised:
        check_identities(exported, here)
    assert "fau: options is {'depth': 18}, the export has {'depth': 100}" in str(raised.value)
    assert "vggish" not in str(raised.value)
    with pytest.raises(RequestError, match="vggish: code is None"):
        check_identities(exported, {"fau": exported["fau"]})

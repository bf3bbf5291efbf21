import pytest
import yaml

from circumplex.cli.main import main
from clips import write_video
from example_requests import ROWS, write_sheet
from places import ROOT


@pytest.fixture
def preset(tmp_path):
    sheet = write_sheet(tmp_path / "samples.tsv", ROWS)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"samples": str(sheet), "results": str(tmp_path), "shards": 4}))
    return str(path)


def rows_of(shown):
    """Jobs and numbers by stage, and what is said after the table."""
    summary, table, words = shown.split("\n\n")
    header, *lines = table.splitlines()
    assert header.split()[:2] == ["stage", "jobs"]
    rows = {
        stage: (int(jobs), *map(float, rest[:3])) for stage, jobs, *rest in map(str.split, lines)
    }
    return summary, rows, words


def test_every_stage_has_its_jobs_and_the_sum_is_last(preset, capsys):
    assert main(["estimate", "--configfile", preset, "--cores", "4"]) == 0
    summary, rows, words = rows_of(capsys.readouterr().out)
    assert summary.startswith("13 samples")
    stages = ("extract_frames", "align_faces", "extract_vggish", "read_labels")
    assert {rows[stage][0] for stage in stages} == {4}
    total = rows.pop("all")
    assert total[0] == sum(jobs for jobs, *_ in rows.values())
    for place in (1, 2, 3):
        assert total[place] == pytest.approx(sum(row[place] for row in rows.values()), abs=0.2)
    assert words.startswith("On 4 cores about ")
    assert "Most of it: extract_" in words
    assert "an assumption, no GPU was at hand" in words


def test_what_dominates_comes_first(preset, capsys):
    assert main(["estimate", "--configfile", preset]) == 0
    _, rows, _ = rows_of(capsys.readouterr().out)
    rows.pop("all")
    hours = [row[1] for row in rows.values()]
    assert hours == sorted(hours, reverse=True)
    assert set(list(rows)[:2]) == {"extract_iresnet", "extract_fau"}


def test_imported_features_cost_no_network(preset, tmp_path, capsys):
    imports = {name: {"import": str(tmp_path), "dimension": 3} for name in ("densenet", "iresnet")}
    more = tmp_path / "imports.yaml"
    more.write_text(yaml.safe_dump({"features": imports}))
    assert main(["estimate", "--configfile", preset, str(more)]) == 0
    _, rows, _ = rows_of(capsys.readouterr().out)
    assert rows["import_densenet"][0] == 4
    assert rows["import_iresnet"][1] < rows["extract_fau"][1] / 100
    assert "extract_densenet" not in rows


def test_a_search_is_counted(preset, capsys):
    search = str(ROOT / "config/search.yaml")
    assert main(["estimate", "--configfile", preset, search]) == 0
    _, rows, _ = rows_of(capsys.readouterr().out)
    assert rows["train_trial"][0] == 32
    assert rows["propose_trials"][0] == 8


def test_proxies_are_counted_for_what_browsers_do_not_play(tmp_path, capsys):
    rows = []
    for name, codec in (("plays.mp4", "libx264"), ("asks.mkv", "ffv1")):
        write_video(tmp_path / name, codec, frames=50, rate=25, size=(640, 360))
        rows.append({"sample": name[:4], "video": str(tmp_path / name), "split": "predict"})
    sheet = write_sheet(tmp_path / "samples.tsv", rows)
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({"samples": str(sheet), "results": str(tmp_path / "r")}))
    starter = str(ROOT / "config/starter.yaml")
    assert main(["estimate", "--configfile", starter, str(own)]) == 0
    _, found, _ = rows_of(capsys.readouterr().out)
    assert found["make_proxy"][0] == found["align_faces"][0]
    assert found["make_proxy"][3] == pytest.approx(2 * 0.04, abs=0.011), "2 s of one of the two"


def test_a_missing_sheet_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["estimate", "--configfile", str(ROOT / "config/demo.yaml")]) == 1
    assert "circumplex sheet" in capsys.readouterr().err

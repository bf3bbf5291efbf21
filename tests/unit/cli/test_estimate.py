import pytest
import yaml

from circumplex.cli.main import main
from example_requests import ROWS, write_sheet
from places import ROOT


@pytest.fixture
def preset(tmp_path):
    sheet = write_sheet(tmp_path / "samples.tsv", ROWS)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"samples": str(sheet), "results": str(tmp_path), "shards": 4}))
    return str(path)


def test_every_stage_has_its_jobs_and_the_sum_is_last(preset, capsys):
    assert main(["estimate", "--configfile", preset]) == 0
    summary, table, _ = capsys.readouterr().out.split("\n\n")
    assert summary.startswith("13 samples")
    _, *rows = (line.split() for line in table.splitlines())
    jobs = {stage: int(count) for stage, count, *_ in rows}
    stages = ("extract_frames", "align_faces", "extract_vggish", "read_labels")
    assert {jobs[stage] for stage in stages} == {4}
    assert jobs.pop("all") == sum(jobs.values())


def test_imported_features_are_counted_together(preset, tmp_path, capsys):
    names = ["densenet", "iresnet"]
    imports = {name: {"import": str(tmp_path), "dimension": 3} for name in names}
    more = tmp_path / "imports.yaml"
    more.write_text(yaml.safe_dump({"features": imports}))
    assert main(["estimate", "--configfile", preset, str(more)]) == 0
    shown = capsys.readouterr().out
    assert "import_features            8" in shown
    assert "extract_densenet" not in shown


def test_a_missing_sheet_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["estimate", "--configfile", str(ROOT / "config/demo.yaml")]) == 1
    assert "circumplex sheet" in capsys.readouterr().err

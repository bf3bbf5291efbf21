import sys

import pyarrow.parquet as pq
import pytest
import yaml

from circumplex.cli.main import main
from clips import write_video
from example_requests import ROWS, write_sheet


@pytest.fixture
def preset(tmp_path):
    for row in ROWS[:2]:
        write_video(tmp_path / row["video"])
    (tmp_path / "a.txt").write_text("valence,arousal\n")
    sheet = write_sheet(tmp_path / "samples.tsv", ROWS)
    path = tmp_path / "own.yaml"
    values = {"samples": str(sheet), "results": str(tmp_path / "results"), "shards": 1}
    path.write_text(yaml.safe_dump(values))
    return ["--configfile", str(path)]


def test_a_stage_runs_for_one_sample_apart_from_the_results(preset, tmp_path, capsys):
    assert main(["debug", "extract_frames", "train0", *preset]) == 0
    folder = tmp_path / "results/debug/extract_frames"
    assert capsys.readouterr().out == f"train0: {folder}/extract_frames/train0.parquet\n"
    assert pq.read_table(folder / "extract_frames/train0.parquet").num_rows > 0
    assert [path.name for path in (folder / "extract_frames").iterdir()] == ["train0.parquet"]
    assert not (tmp_path / "results/index").exists()
    assert sys.excepthook is sys.__excepthook__, "a bug must show its traceback"


def test_a_sample_that_fails_exits_with_1_and_says_why(preset, capsys):
    assert main(["debug", "extract_frames", "val0", *preset]) == 1
    assert capsys.readouterr().out.startswith("val0: the media file is missing")


def test_an_error_that_nobody_foresaw_reaches_the_debugger(preset, monkeypatch):
    def fail(_):
        raise KeyError("a bug")

    monkeypatch.setattr("circumplex.media.timeline.open_media", fail)
    with pytest.raises(KeyError, match="a bug"):
        main(["debug", "extract_frames", "train0", *preset])


@pytest.mark.parametrize(
    ("stage", "sample", "message"),
    [
        ("align_face", "train0", "no stage 'align_face' in this run; did you mean 'align_faces'"),
        ("train_encoder", "train0", "no stage 'train_encoder' in this run"),
        ("extract_frames", "tarin0", "no sample 'tarin0' in the sheet; did you mean 'train0'"),
        ("align_faces", "train0", "run the stages before first, by `snakemake --cores 1"),
    ],
)
def test_what_cannot_run_is_refused(stage, sample, message, preset, capsys):
    assert main(["debug", stage, sample, *preset]) == 1
    assert message in capsys.readouterr().err

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from circumplex.cli.main import main
from circumplex.config.samples import Split, read_samples
from places import ROOT


@pytest.fixture
def started(monkeypatch):
    """Command lines that are started, in place of starting them; each ends with status 3."""
    commands = []

    def record(command, check):
        assert not check
        commands.append(command)
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr(subprocess, "run", record)
    return commands


@pytest.fixture
def words(tmp_path):
    for name in ("videos/more/one.mp4", "two, 2.mkv", "export/ensemble.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    places = [tmp_path / "videos", tmp_path / "two, 2.mkv", "--model", tmp_path / "export"]
    return ["predict", *map(str, places), "--output", str(tmp_path / "out")]


def test_a_sheet_of_all_videos_and_snakemakes_exit_status(words, started, tmp_path):
    assert main([*words, "--cores", "2"]) == 3
    samples = read_samples(tmp_path / "out/samples.tsv")
    assert [(s.sample, s.split) for s in samples] == [
        ("one", Split.PREDICT),
        ("two, 2", Split.PREDICT),
    ]
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "snakemake"]
    assert command[command.index("--snakefile") + 1] == str(ROOT / "Snakefile")
    assert command[command.index("--cores") + 1] == "2"
    assert command[command.index("--config") + 1 :] == [
        f'samples="{tmp_path}/out/samples.tsv"',
        f'results="{tmp_path}/out"',
        f'export="{tmp_path}/export"',
    ]


def test_presets_are_handed_on(words, started):
    main([*words, "--configfile", "a.yaml", "b.yaml"])
    (command,) = started
    first = command.index("--configfile")
    assert command[first : first + 3] == ["--configfile", "a.yaml", "b.yaml"]


@pytest.mark.usefixtures("started")
def test_a_second_call_writes_the_sheet_anew(words):
    assert [main(words), main(words)] == [3, 3]


def test_a_folder_without_an_export_starts_nothing(words, started, tmp_path, capsys):
    (tmp_path / "export/ensemble.json").unlink()
    assert main(words) == 1
    assert (
        "name starter, mini-xception, emotiefflib, msp-dim, both, or the folder of"
        in capsys.readouterr().err
    )
    assert started == []


def test_without_a_model_the_starter_predicts(words, started):
    main([word for word in words if word != "--model" and "export" not in word])
    (command,) = started
    first = command.index("--configfile")
    assert command[first : first + 2] == ["--configfile", str(ROOT / "config/starter.yaml")]
    assert not any("export=" in word for word in command)


def test_weights_are_fetched_first_where_there_are_any_to_fetch(words, started):
    main([word if "export" not in word else "both" for word in words])
    (command,) = started  # a failed fetch ends it
    assert command[-2:] == ["--", "weights"]


def test_results_among_the_videos_are_not_searched(words, started, tmp_path):
    (tmp_path / "out/proxies").mkdir(parents=True)
    (tmp_path / "out/proxies/one.mp4").touch()
    main([words[0], str(tmp_path), "--output", str(tmp_path / "out")])
    assert len(started) == 1
    names = [sample.sample for sample in read_samples(tmp_path / "out/samples.tsv")]
    assert names == ["one", "two, 2"]


def test_the_last_lines_name_what_was_written(words, monkeypatch, tmp_path, capsys):
    def finish(_command, **_):
        (tmp_path / "out/check_failures.txt").write_text("predictions: a\nreport:     b\n")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", finish)
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["predictions: a", "report:     b"]


@pytest.mark.parametrize("status", [0, 1])
def test_what_the_last_job_of_the_run_said_is_not_repeated(
    words, monkeypatch, tmp_path, capsys, status
):
    def finish(_command, **_):
        (tmp_path / "out/logs").mkdir(parents=True)
        for name in ("check_failures.txt", "summary.csv", "logs/check_failures.log"):
            (tmp_path / "out" / name).write_text("written by the run\n")
        return SimpleNamespace(returncode=status)

    monkeypatch.setattr(subprocess, "run", finish)
    assert main(words) == status
    printed = capsys.readouterr().out
    assert "written by the run" not in printed
    assert "CSV files:" not in printed


@pytest.mark.usefixtures("started")
def test_a_run_that_ends_early_names_what_there_is(words, tmp_path, capsys):
    (tmp_path / "out/logs").mkdir(parents=True)
    (tmp_path / "out/summary.csv").touch()
    log = tmp_path / "out/logs/check_failures.log"  # of an earlier run
    log.touch()
    os.utime(log, (1, 1))
    assert main(words) == 3
    out = tmp_path / "out"
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"CSV files:   {out}/summary.csv",
        f"logs:        {out}/logs",
    ]


def test_ctrl_c_while_snakemake_runs_ends_quietly(words, monkeypatch, capsys):
    def press_ctrl_c(_command, **_):
        os.kill(os.getpid(), signal.SIGINT)
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(subprocess, "run", press_ctrl_c)
    assert main(words) == 130
    printed = capsys.readouterr()
    assert "logs:" not in printed.out
    assert "Traceback" not in printed.err

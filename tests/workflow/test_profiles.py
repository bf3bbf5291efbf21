"""Profiles: what each says of itself, that each plans the run, and what it would submit."""

import os
import re
from pathlib import Path

import pytest
import yaml

from places import ROOT
from projects import Project

PROFILES = sorted((ROOT / "profiles").glob("*/config.yaml"))
TRIED = {"default", "slurm"}
# In place of a scheduler's own command: notes its words, and runs the job at once.
SUBMIT = """#!/usr/bin/env bash
printf '%s\\n' "$@" > "$SUBMITTED"
bash "${@: -1}" > /dev/null 2>&1 &
echo "{answer}"
"""
SCHEDULERS = {  # command, its answer, words that it must be given
    "lsf": ("bsub", "Job <77> is submitted to queue <normal>.", ["-J", "extract_frames"]),
    "sge": ("qsub", "77", ["-terse", "-pe", "smp", "1"]),
}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_a_profile_comments_every_entry_and_repeats_the_triggers(path: Path) -> None:
    text = path.read_text()
    before = ""
    for line in text.splitlines():
        if re.match(r"[\w-]+:", line):
            assert "#" in line or before.startswith("#"), line
        before = line if line.startswith("#") else ""
    assert yaml.safe_load(text)["rerun-triggers"] == ["mtime"]
    untried = text.startswith("# NOBODY COULD RUN THIS PROFILE")
    assert untried == (path.parent.name not in TRIED)


@pytest.mark.parametrize("name", [path.parent.name for path in PROFILES])
def test_a_profile_plans_the_run(fresh: Project, name: str) -> None:
    outcome = fresh.snakemake(options=("--profile", f"profiles/{name}", "--dry-run"))
    assert outcome.code == 0, outcome.text
    assert {"extract_frames", "train_encoder", "make_report"} <= outcome.rules


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_job_goes_through_the_schedulers_command(
    fresh: Project, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, answer, expected = SCHEDULERS[name]
    command = tmp_path / "bin" / program
    command.parent.mkdir()
    command.write_text(SUBMIT.replace("{answer}", answer))
    command.chmod(0o755)
    words = tmp_path / "words.txt"
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SUBMITTED", str(words))
    target = ".test/results/index/extract_frames/000-of-001.json"
    outcome = fresh.snakemake(
        target,
        options=("--profile", f"profiles/{name}", "--seconds-between-status-checks", "1"),
    )
    assert outcome.code == 0, outcome.text
    given = words.read_text().splitlines()
    assert [word for word in expected if word not in given] == []
    assert "1000" in " ".join(given), "megabytes of extract_frames"

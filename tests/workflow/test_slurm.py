"""The tiny run through profiles/slurm on a real Slurm of two nodes, with what befalls clusters.

Runs where tests/cluster/slurm.sh can: as root, with Slurm and MUNGE installed (CI installs them).
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CONFIGS, ROOT, Outcome, Project

SLURM = ROOT / "tests/cluster/slurm.sh"
INSTALLED = all(map(shutil.which, ("slurmctld", "slurmd", "munged"))) and os.geteuid() == 0
LIMIT_S = 900

pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs root, slurm-wlm and munge")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[None]:
    subprocess.run([SLURM, "start", tmp_path / "slurm"], check=True)
    yield
    subprocess.run([SLURM, "stop", tmp_path / "slurm"], check=True)


def queue() -> list[tuple[str, str, str]]:
    """Jobs that run: number, node, and the rule and wildcards that Snakemake notes."""
    command = ["squeue", "--noheader", "--states=RUNNING", "--format=%i|%N|%k"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [(number, node, note) for number, node, note in (line.split("|") for line in lines)]


def await_job(run: "subprocess.Popen[str]", rule: str) -> tuple[str, str]:
    """Number and node of the first job of a rule that runs."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until and run.poll() is None:
        for number, node, note in queue():
            if rule in note:
                return number, node
        time.sleep(0.2)
    raise AssertionError(f"no job of {rule} was seen")


@pytest.mark.usefixtures("cluster")
def test_the_tiny_run_survives_a_cluster(finished: tuple[Project, Outcome], fresh: Project) -> None:
    """A node is drained, a job is cancelled, one has too little memory until it is tried again."""
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm"]
    # The tests' polling may be brisker than a real cluster's administrators would like.
    command += ["--slurm-init-seconds-before-status-checks", "2"]
    command += ["--seconds-between-status-checks", "2", "--latency-wait", "10"]
    command += ["--set-resources", "extract_densenet:mem_mb=attempt*700"]
    command += ["--configfile", *CONFIGS]
    log = fresh.root / "slurm_run.txt"
    with log.open("w") as file:
        run = subprocess.Popen(
            command, cwd=fresh.root, stdout=file, stderr=subprocess.STDOUT, text=True
        )
        _, node = await_job(run, "align_faces")
        subprocess.run(
            ["scontrol", "update", f"nodename={node}", "state=drain", "reason=test"], check=True
        )
        number, _ = await_job(run, "extract_fau")
        subprocess.run(["scancel", number], check=True)
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], check=True)
        code = run.wait(LIMIT_S)
    text = log.read_text()
    assert code == 0, text
    for rule in ("extract_densenet", "extract_fau"):
        assert re.search(rf"(?s)Error in rule {rule}.*Trying to restart", text), text
    here, there = finished[0].results / "submissions/main", fresh.results / "submissions/main"
    names = sorted(path.name for path in here.iterdir())
    assert names
    assert sorted(path.name for path in there.iterdir()) == names
    for name in names:
        assert (there / name).read_bytes() == (here / name).read_bytes()

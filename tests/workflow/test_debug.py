"""One stage for one sample in the current process writes what the workflow wrote."""

import subprocess
import sys

import pytest

from projects import CONFIGS, Project


@pytest.mark.parametrize("stage", ["align_faces", "extract_iresnet", "extract_egemaps"])
def test_a_stage_of_a_finished_run(stage: str, project: Project) -> None:
    sample = "clip01"
    before = (project.results / stage / f"{sample}.parquet").read_bytes()
    command = [sys.executable, "-m", "circumplex", "debug", stage, sample, "--configfile", *CONFIGS]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    debugged = project.results / "debug" / stage / stage / f"{sample}.parquet"
    assert debugged.read_bytes() == before
    again = project.snakemake(options=("--dry-run",))
    assert again.rules == set(), again.text

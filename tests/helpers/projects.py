"""Copies of the project in which Snakemake runs for real."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from places import ROOT

PARTS = (
    *("Snakefile", "config.yaml", "config", "workflow", "profiles", "envs", "demo"),
    "requirements.lock",
)
CONFIGS = ("config/demo.yaml", "config/tiny.yaml")
SHARED_RUNS = "CIRCUMPLEX_SHARED_RUNS"
STYLE = ("--logger-circumplex-style", "snakemake")
"""Options by which Snakemake prints every job."""
JOB = re.compile(r"^Job \d+: (\w+)(?: (.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a Snakemake run."""

    code: int
    text: str

    @property
    def jobs(self) -> set[tuple[str, str]]:
        """Jobs that ran, or in a dry run would: (rule, wildcards)."""
        return {(rule, wildcards or "") for rule, wildcards in JOB.findall(self.text)}

    @property
    def rules(self) -> set[str]:
        """Rules of the jobs."""
        return {rule for rule, _ in self.jobs}


@dataclass(frozen=True)
class Project:
    """A checkout of its own, so that nothing here touches the real one."""

    root: Path

    @property
    def results(self) -> Path:
        return self.root / ".test" / "results"

    @property
    def corpus(self) -> Path:
        return self.root / ".test" / "corpus"

    def snakemake(
        self,
        *targets: str,
        configs: tuple[str, ...] = CONFIGS,
        options: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
    ) -> Outcome:
        """Run Snakemake in the project; ``before`` is put before its command."""
        command = [*before, sys.executable, "-m", "snakemake", "--cores", "2", *STYLE, *options]
        if configs:
            command += ["--configfile", *configs]
        command += ["--", *targets]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def clone(self, to: Path) -> "Project":
        """A second project with the same results and Snakemake records, times kept."""
        shutil.copytree(self.root, to, symlinks=True)
        return Project(to)


def copy_project(to: Path) -> Project:
    """Copy what a run needs of this checkout."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, to / part, ignore=ignored)
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / part)
    return Project(to)


def made_once(
    name: str, make: Callable[[Path], str], factory: pytest.TempPathFactory, worker_id: str
) -> tuple[Path, str]:
    """A folder that all of pytest's workers share, and what was printed when it was made.

    Several runs of pytest share it too, where `SHARED_RUNS` names a folder. Nothing may write into
    it, since another worker may be copying it.
    """
    base = factory.getbasetemp()
    shared = os.environ.get(SHARED_RUNS)
    folder = Path(shared or (base if worker_id == "master" else base.parent)) / name
    folder.mkdir(exist_ok=True)
    made, said = folder / "made", folder / "said.txt"
    with FileLock(folder / "lock"):
        if not said.exists():
            said.write_text(make(made))
    return made, said.read_text()


RESULT_RULES = {
    *("ensemble_predictions", "evaluate", "write_submission", "make_report"),
    "make_manifest",  # names each score's files by digest
}
AFTER_TRAINING = {"predict_frames", "smooth_predictions", "check_failures", *RESULT_RULES}


def planned(project: Project) -> set[str]:
    """Rules that a run would execute."""
    outcome = project.snakemake(options=("--dry-run",))
    assert outcome.code == 0, outcome.text
    return outcome.rules

"""A copy of the project with the tiny corpus, in which Snakemake runs for real."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT
from projects import Outcome, Project, copy_project, made_once

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All are slow; what needs no tiny run goes first, beside the worker that makes it."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("slow")
    items.sort(key=lambda item: "finished" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The tiny corpus, for reading."""

    def make(folder: Path) -> str:
        command = [sys.executable, "-m", "demo.corpus.make", "--seed", "0", "--size", "tiny"]
        command += ["--out", str(folder), "--truth", str(folder.with_name("truth"))]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    return made_once("corpus", make, tmp_path_factory, worker_id)[0]


@pytest.fixture(scope="session")
def finished(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[Project, Outcome]:
    """The tiny run, for reading: take `project` to run anything in it."""

    def make(folder: Path) -> str:
        project = copy_project(folder)
        shutil.copytree(corpus, project.corpus)
        outcome = project.snakemake()
        assert outcome.code == 0, outcome.text
        return outcome.text

    folder, text = made_once("finished", make, tmp_path_factory, worker_id)
    return Project(folder), Outcome(0, text)


@pytest.fixture
def project(finished: tuple[Project, Outcome], tmp_path: Path) -> Project:
    """A copy of the finished project, to change and run again."""
    return finished[0].clone(tmp_path / "project")


@pytest.fixture
def fresh(corpus: Path, tmp_path: Path) -> Project:
    """A project with the corpus and without results."""
    project = copy_project(tmp_path / "project")
    shutil.copytree(corpus, project.corpus)
    return project

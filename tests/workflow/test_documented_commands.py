"""Commands of README.md and docs/ that are run: sheets, help texts, and Snakemake's dry runs."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from documented_commands import DocumentedCommand, documented_commands
from places import ROOT
from projects import Project

UNAVAILABLE = ("config/backbones.yaml", "results/list_stills/ferplus.parquet")
"""Commands with these words need published sets of still images, which nobody may redistribute."""
PUBLISHED = ("onnx", "vit", "speech", "vggish", "wav2vec2")
"""Features whose weights are fetched, in the documents' commands."""
EXAMPLE = "docs/corpora.md"
"""Its commands are run for real, one after the other, by tests/workflow/test_own_corpus.py."""


def given(program: str) -> list[DocumentedCommand]:
    """Commands of a program that stand by themselves, but for those of the worked example."""
    return [c for c in documented_commands(program) if not c.inline and c.document != EXAMPLE]


SNAKEMAKE = sorted({shlex.join(c.words[1:]): c for c in given("snakemake")}.values(), key=str)
SHEETS = [c for c in given("circumplex") if c.words[1] == "sheet"]
SCRIPTS = sorted({c.words[1] for c in documented_commands("python") if c.words[1][0] != "-"})


def run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def prepared(fresh: Project) -> Project:
    """The tiny corpus where config.yaml and the documents look for samples.

    Networks of the catalogue have random weights, since a dry run asks for theirs as a run does.
    """
    shutil.copytree(fresh.corpus, fresh.root / "data")
    values = {
        "samples": "data/samples.tsv",
        "results": "results",
        "backbones": {"still_sets": {"drawn": {"path": "data/stills/stills.csv"}}},
        "features": {name: {"weights": "random:0"} for name in PUBLISHED},
    }
    (fresh.root / "corpus.yaml").write_text(yaml.safe_dump(values))
    return fresh


@pytest.mark.parametrize("command", SNAKEMAKE, ids=str)
def test_dry_run(command: DocumentedCommand, prepared: Project) -> None:
    words = command.words[1:]
    if set(words) & set(UNAVAILABLE):
        pytest.skip("needs published sets of still images")
    demo = ["config/demo.yaml", "corpus.yaml"]
    if "--configfile" in words:
        place = words.index("--configfile") + 1
        presets = [word for word in words[place:] if word.endswith(".yaml")]
        for preset in presets:
            if preset.startswith("results/"):  # which an earlier command of the document writes
                (prepared.root / preset).parent.mkdir(parents=True, exist_ok=True)
                (prepared.root / preset).write_text("{}\n")
        first = [] if demo[0] in presets else demo[:1]
        words[place : place + len(presets)] = [*first, *presets, *demo[1:]]
    else:
        words = ["--configfile", *demo, *words]
    assert "This was a dry-run" in run(["snakemake", "--dry-run", *words], prepared.root)


def test_all_commands_that_write_sheets_are_found() -> None:
    assert {command.words[2] for command in SHEETS} == {"affwild2", "videos", "published"}


@pytest.mark.parametrize("command", SHEETS, ids=str)
def test_sheet(command: DocumentedCommand, corpus: Path, tmp_path: Path) -> None:
    if command.words[2] == "published":
        pytest.skip("tests/workflow/test_imports.py runs it on a folder of features")
    for name in ("batch1", "batch2", "my_videos"):
        (tmp_path / name).symlink_to(corpus / "videos")
    (tmp_path / "annotations").symlink_to(corpus / "annotations")
    for video in (corpus / "videos").iterdir():
        for name in (video.stem, f"{video.stem}_left", f"{video.stem}_right"):
            crop = tmp_path / "cropped_aligned" / name / "00001.jpg"
            crop.parent.mkdir(parents=True)
            crop.touch()
    shutil.copy(corpus / "splits/test.txt", tmp_path / "va_test_set.txt")
    run(command.words, tmp_path)
    assert (tmp_path / command.words[command.words.index("--output") + 1]).is_file()


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script: str) -> None:
    done = subprocess.run(
        [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

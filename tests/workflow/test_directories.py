"""The workflow starts from any folder: by ``--snakefile`` elsewhere, and by ``--directory``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from places import ROOT

PRESETS = [str(ROOT / "config/demo.yaml"), str(ROOT / "config/tiny.yaml"), "own.yaml"]
EXPECTED = {"extract_frames", "align_faces", "train_encoder", "make_report"}


@pytest.fixture
def own(corpus: Path, tmp_path: Path) -> Path:
    """A folder that is no checkout, with samples and a preset of its own."""
    folder = tmp_path / "my folder"
    shutil.copytree(corpus, folder / "corpus")
    stills = {"drawn": {"path": "corpus/stills/stills.csv"}}
    values = {
        "samples": "corpus/samples.tsv",
        "results": "out",
        "backbones": {"still_sets": stills},
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(values))
    return folder


def dry_run(cwd: Path, *options: str, presets: list[str]) -> str:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", *options]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
    done = subprocess.run(
        [*command, "--configfile", *presets],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert [rule for rule in EXPECTED if f"{rule} " not in done.stdout] == []
    return done.stdout


def test_a_snakefile_elsewhere(own: Path) -> None:
    text = dry_run(own, "--snakefile", str(ROOT / "Snakefile"), presets=PRESETS)
    assert f"workflow specific profile {ROOT}/profiles/default" in text
    assert (own / "out").is_dir()


def test_another_directory(own: Path, tmp_path: Path) -> None:
    presets = [*PRESETS[:2], str(own / "own.yaml")]
    snakefile = ["--snakefile", str(ROOT / "Snakefile")]
    dry_run(tmp_path, *snakefile, "--directory", str(own), presets=presets)
    assert (own / "out").is_dir()
    assert not (tmp_path / "out").exists()


def test_a_checkout_whose_path_snakemake_cannot_take(own: Path, tmp_path: Path) -> None:
    (tmp_path / "{here}").symlink_to(ROOT)
    snakefile = str(tmp_path / "{here}/Snakefile")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "-s", snakefile]
    done = subprocess.run(
        [*command, "--configfile", *PRESETS], cwd=own, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "The checkout lies in" in said
    assert "Move it to a folder without them" in said
    assert "Traceback" not in said

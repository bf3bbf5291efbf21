"""The control on the demo's people: shuffled annotations must not score what real ones score."""

import subprocess
import sys
from pathlib import Path

from demo.checks.control import read_material, run_control
from demo.checks.runs import places
from places import ROOT

SHUFFLES = 9
"""Enough for a mean; `make control` has the 19 of the permutation test."""
CONFIGS = ["config/demo.yaml", "config/control.yaml"]


def run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_real_annotations_beat_shuffled_ones(tmp_path: Path) -> None:
    corpus, truth = tmp_path / "corpus", tmp_path / "truth"
    made = ["--seed", "0", "--size", "short", "--out", str(corpus), "--truth", str(truth)]
    run("demo.corpus.make", *made)
    results = tmp_path / "results"
    target = f"{results}/write_submission/main.json"
    command = [
        "snakemake",
        "--cores",
        "2",
        "--configfile",
        *CONFIGS,
        "--config",
        *places(corpus, results),
    ]
    run(*command, "--", target)
    material = read_material(results, truth, "lstm_I_E/official/seed0")
    found = run_control(material, cores=2, shuffles=SHUFFLES)
    for finding in found.values():
        assert len(finding.shuffled) == SHUFFLES
        # Of so few features and seconds single shuffles may score as high; their mean does not.
        assert finding.real > finding.mean + finding.two_errors

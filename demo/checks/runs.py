"""Variants of the demo's run that take its features from the store instead of extracting again."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from circumplex.cli.checkout import find_checkout
from demo.checks.score import score

ROOT = find_checkout(Path(__file__))
TARGETS = ("valence", "arousal")


def stills_of(corpus: Path) -> dict[str, Any]:
    """The config's ``backbones`` that turn config/demo.yaml to a corpus's still faces."""
    return {"still_sets": {"drawn": {"path": f"{corpus}/stills/stills.csv"}}}


def places(corpus: Path, results: Path) -> list[str]:
    """Values of ``--config`` that turn config/demo.yaml to a corpus and a folder of results."""
    return [
        f"samples={corpus}/samples.tsv",
        f"results={results}",
        f"backbones={json.dumps(stills_of(corpus))}",
    ]


@dataclass(frozen=True)
class Demo:
    """The demo of a seed: corpus, truth and finished results.

    Attributes:
        folder: holds ``corpus``, ``truth`` and ``results``.
        cores: for Snakemake.
        configs: presets over ``config.yaml``.
    """

    folder: Path
    cores: int
    configs: Sequence[str] = ("config/demo.yaml",)

    @classmethod
    def of_arguments(cls, description: str | None) -> Self:
        """The demo that a command's arguments name: ``--seed`` and ``--cores``."""
        parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--cores", type=int, default=2)
        arguments = parser.parse_args()
        return cls(Path(".demo") / f"seed{arguments.seed}", arguments.cores)

    @property
    def sheet(self) -> Path:
        """The sample sheet."""
        return self.folder / "corpus" / "samples.tsv"

    def run(self, name: str, overlay: Mapping[str, Any], submissions: Sequence[str]) -> None:
        """Run a variant, unless it is up to date, into ``<folder>/<name>``.

        The store is content-addressed, so a link to the finished run's store is all it takes for
        features to be found; only what the variant changes is computed.
        """
        results = self.folder / name
        results.mkdir(parents=True, exist_ok=True)
        store = self.folder / "results" / "store"
        store.mkdir(parents=True, exist_ok=True)
        if not (results / "store").exists():
            (results / "store").symlink_to("../results/store")
        config = {
            "samples": str(self.sheet),
            "backbones": stills_of(self.sheet.parent),
            **overlay,
            "results": str(results),
        }
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(config, file)
            file.flush()
            command = [sys.executable, "-m", "snakemake", "--cores", str(self.cores)]
            command += ["--configfile", *self.configs, file.name, "--"]
            command += [f"{results}/write_submission/{name}.json" for name in submissions]
            subprocess.run(command, cwd=ROOT, check=True)

    def score(self, name: str, submission: str) -> dict[str, float]:
        """CCC of a variant's submission on the withheld test annotations."""
        return score(self.folder / "truth", self.folder / name / "submissions" / submission)

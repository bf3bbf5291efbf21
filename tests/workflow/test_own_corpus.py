"""The worked example of docs/corpora.md, command by command."""

import subprocess
import sys

import numpy as np
import pyarrow.csv

from circumplex.config.samples import Split, read_samples
from circumplex.io.parquet import read_columns
from documented_commands import documented_commands
from projects import Project

DOCUMENT = "docs/corpora.md"


def test_the_worked_example(fresh: Project) -> None:
    commands = [
        command
        for command in documented_commands("python", "circumplex", "snakemake")
        if command.document == DOCUMENT and not command.inline
    ]
    assert [command.program for command in commands] == ["python", "circumplex", "snakemake"]
    for command in commands:
        program, *words = command.words
        module = [] if program == "python" else ["-m", program]
        done = subprocess.run(
            [sys.executable, *module, *words],
            cwd=fresh.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
    folder = fresh.root / "my_clips"
    samples = read_samples(folder / "samples.tsv")
    assert len(samples) == 150
    speakers = {s.group: s.split for s in samples}
    assert [*speakers.values()].count(Split.TRAIN) == 6
    angry = next(s for s in samples if s.emotion == "angry")
    (valence,) = read_columns(folder / f"results/read_labels/{angry.sample}.parquet", ["valence"])
    np.testing.assert_allclose(valence, -0.51, atol=1e-6)
    table = pyarrow.csv.read_csv(folder / "results/evaluate/ccc.csv").to_pylist()
    by_clip = {
        (row["model"], row["target"]): row["clip_ccc"] for row in table if row["split"] == "test"
    }
    assert by_clip["main", "arousal"] > 0.5
    assert (folder / "results/report.html").is_file()

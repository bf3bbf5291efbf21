"""A reader of another layout is one module and its test: nothing else is edited."""

import os
import shutil
import subprocess
import sys

from places import SCRIPTS

READER = """
from pathlib import Path

import numpy as np

from circumplex.errors import SampleError


def read(annotation: Path):
    rows = [line.split() for line in annotation.read_text().splitlines()]
    if not rows:
        raise SampleError(f"{annotation} is empty")
    return np.array(rows, np.float32) / 100
"""
PROGRAM = """
import sys
from pathlib import Path

from circumplex.annotations.labels import read_annotation
from circumplex.config.samples import read_samples
from circumplex.pipeline.code import code_digest

folder = Path(sys.argv[1])
(sample,) = read_samples(folder / "samples.tsv")
print(read_annotation(sample.annotation, sample.annotation_format).tolist())
library = Path(sys.argv[2])
for name in ("affwild2", "percent"):
    print(code_digest(["annotations.labels", f"annotations.formats.{name}"], library))
"""


def run(library, folder):
    environment = {**os.environ, "PYTHONPATH": str(library.parent)}
    command = [sys.executable, "-c", PROGRAM, str(folder), str(library)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_reader_is_found_by_the_sheets_name_for_it(tmp_path):
    library = tmp_path / "scripts" / "circumplex"
    shutil.copytree(SCRIPTS / "circumplex", library)
    reader = library / "annotations" / "formats" / "percent.py"
    reader.write_text(READER)
    (tmp_path / "a.txt").write_text("50 -100\n0 25\n")
    cells = {"sample": "a", "video": "a.mp4", "annotation": "a.txt", "split": "train"}
    cells["annotation_format"] = "percent"
    sheet = "\t".join(cells) + "\n" + "\t".join(cells.values()) + "\n"
    (tmp_path / "samples.tsv").write_text(sheet)
    values, affwild2, percent = run(library, tmp_path)
    assert values == "[[0.5, -1.0], [0.0, 0.25]]"
    assert affwild2 != percent
    reader.write_text(READER.replace("100", "50"))
    changed, same, other = run(library, tmp_path)
    assert changed == "[[1.0, -2.0], [0.0, 0.5]]"
    assert same == affwild2, "samples of other layouts are not stale"
    assert other != percent

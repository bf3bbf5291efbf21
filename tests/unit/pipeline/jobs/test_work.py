"""Two jobs that train the same: one trains, the other takes what it made or resumes."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from circumplex.pipeline.jobs.work import train_once

TRAIN = """
import sys, time
from pathlib import Path
from circumplex.pipeline.jobs.work import train_once

def train(work):
    work.mkdir()
    (work / "state").write_text("epoch 1")
    print("training", flush=True)
    sys.stdin.readline()
    output.write_text("trained by the first")
    (work / "state").unlink()
    work.rmdir()

output = Path(sys.argv[1])
train_once(output, train)
"""


@pytest.fixture
def first(tmp_path):
    """A job of a killed Snakemake that still trains."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(tmp_path / "model.pt")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "training\n"
    yield process
    process.kill()
    process.wait()


def train_beside(output, end):
    """Train in a second job that waits for the first; `end` ends that."""
    seen = []

    def train(work):
        seen.append((work / "state").read_text())
        output.write_text("trained by the second")

    threading.Timer(0.5, end).start()
    began = time.monotonic()
    train_once(output, train)
    assert time.monotonic() - began > 0.4
    return seen


def test_what_another_job_has_finished_is_taken(tmp_path, first):
    output = tmp_path / "model.pt"
    assert train_beside(output, lambda: print(file=first.stdin, flush=True)) == []
    assert output.read_text() == "trained by the first"
    assert list(tmp_path.iterdir()) == [output]


def test_what_a_killed_job_began_is_resumed(tmp_path, first):
    output = tmp_path / "model.pt"
    seen = train_beside(output, lambda: first.send_signal(signal.SIGKILL))
    assert seen == ["epoch 1"]
    assert output.read_text() == "trained by the second"


def test_an_older_file_is_not_taken_for_the_other_jobs(tmp_path):
    output = tmp_path / "model.pt"
    output.write_text("altered by hand")
    train_once(output, lambda _: output.write_text("trained"))
    assert output.read_text() == "trained"

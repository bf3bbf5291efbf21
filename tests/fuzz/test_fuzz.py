"""A short form of ``make fuzz``, and what it takes for a fault."""

import os
import time
from random import Random

import pytest

from fuzz.fuzz import find_faults, fuzz
from fuzz.kinds import KINDS
from fuzz.request_files import Sheets
from fuzz.sandbox import run_apart

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_files_are_accepted_or_refused(kind, tmp_path):
    faults, outcomes = fuzz([kind(tmp_path / "seeds")], 15, seed=1, work=tmp_path)
    assert faults == []
    assert sum(outcomes.values()) == 15


def test_the_same_seed_draws_the_same_inputs(tmp_path):
    drawn = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        kind = Sheets(folder / "seeds")
        drawn.append([kind.write_bad(Random(number), folder).read_bytes() for number in range(5)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 5


def exhaust_memory():
    return str(len(bytearray(1 << 40)))


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (lambda: "accepted", None),
        (lambda: os.abort(), "crashed: SIGABRT"),
        (exhaust_memory, "not a clear message: MemoryError"),
        (lambda: {}["x"], "not a clear message: KeyError"),
        (lambda: "Traceback (most recent call last)", "not a clear message"),
        (lambda: time.sleep(60) or "", "hung: after 1 s"),
    ],
)
def test_faults_are_found(function, fault, tmp_path):
    found = find_faults(run_apart(function, tmp_path / "log.txt", 1.0))
    assert len(found) == (fault is not None)
    if fault:
        assert found[0].startswith(fault)

"""One process at a time holds a lock file; it goes with the process."""

import errno
import fcntl
import signal
import subprocess
import sys
import threading
import time

from circumplex.io.locks import hold_lock

HOLD = """
import sys, time
from pathlib import Path
from circumplex.io.locks import hold_lock
with hold_lock(Path(sys.argv[1])) as waited:
    print(waited, flush=True)
    sys.stdin.readline()
"""


def start_holder(path):
    """Another process that holds the lock until a line is written to it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "False\n"
    return holder


def wait_beside(path, holder, end):
    """Whether this process had to wait for the holder, which `end` ends."""
    threading.Timer(0.5, end).start()
    began = time.monotonic()
    with hold_lock(path) as waited:
        assert path.is_file()
    holder.wait()
    assert time.monotonic() - began > 0.4
    return waited


def test_the_second_waits_until_the_first_has_ended(tmp_path):
    path = tmp_path / "a.lock"
    holder = start_holder(path)
    assert wait_beside(path, holder, lambda: holder.communicate("\n"))
    assert not path.exists()
    with hold_lock(path) as waited:
        assert not waited


def test_a_killed_process_holds_nothing(tmp_path):
    path = tmp_path / "a.lock"
    holder = start_holder(path)
    assert wait_beside(path, holder, lambda: holder.send_signal(signal.SIGKILL))
    assert not path.exists()


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with hold_lock(tmp_path / "a.lock") as waited:
        assert not waited
    assert list(tmp_path.iterdir()) == []

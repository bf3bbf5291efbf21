"""Run a function in a process of its own, with limits of memory, file size and time."""

import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MEMORY = 3 << 30
"""Bytes of address space beyond what the parent has."""
FILE_SIZE = 512 << 20
POLL_S = 0.005


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    Attributes:
        kind: ``fine``, ``raised``, ``crashed`` (by a signal) or ``hung`` (past the time limit).
        text: what it raised or said; the number of the signal.
        seconds: of wall time.
    """

    kind: str
    text: str
    seconds: float


def run_apart(function: Callable[[], str], log: Path, time_limit_s: float) -> Ending:
    """Run a function in a forked process.

    Args:
        function: returns a text, or raises.
        log: file for what the process prints; its last line is what it returned or raised.
        time_limit_s: after which it is killed.
    """
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _run_child(function, log)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - started
        if ended:
            break
        if seconds > time_limit_s:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return Ending("hung", f"after {time_limit_s:.0f} s", seconds)
        time.sleep(POLL_S)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = lines[-1] if lines else ""
    if os.WIFSIGNALED(status):
        return Ending("crashed", signal.Signals(os.WTERMSIG(status)).name, seconds)
    return Ending("fine" if os.WEXITSTATUS(status) == 0 else "raised", said, seconds)


def _run_child(function: Callable[[], str], log: Path) -> None:
    """Limit the process, run the function, and end the process."""
    status = 1
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        limit = _address_space() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        said = function()
        status = 0
    except BaseException as error:
        text = str(error).replace("\n", " | ")
        said = f"{type(error).__name__}: {text}"
    finally:
        os.write(1, f"\n{said}\n".encode("utf-8", "replace"))
        os._exit(status)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()

"""Run a command in a terminal of its own, as a person has it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 100
CTRL_C = b"\x03"
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Shown:
    """What a command left on its terminal.

    Attributes:
        code: exit status; negative by a signal.
        raw: all that it wrote.
    """

    code: int
    raw: str

    @property
    def lines(self) -> list[str]:
        """Lines that stay: of one that was drawn over and over, its last state."""
        lines = self.raw.replace("\r\n", "\n").split("\n")
        last = [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in lines]
        return [line for line in last if line]

    @property
    def moving(self) -> list[str]:
        """States of the line that moves."""
        return [state.strip() for state in self.raw.split("\r") if "|" in state]


def take_terminal() -> None:
    """Make the terminal the process's own, with Ctrl-C, which a parent may have had ignored."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_in_terminal(
    command: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    *,
    interrupt_at: str | None = None,
) -> Shown:
    """Run a command to its end.

    Args:
        command: program and arguments.
        cwd: folder to run it in.
        environment: of the process.
        interrupt_at: press Ctrl-C, once, when this text has been shown.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    shown, pressed = b"", False
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        ready, _, _ = select.select([ours], [], [], 0.2)
        try:
            piece = os.read(ours, 1 << 16) if ready else b""
        except OSError:  # the last process has closed it
            break
        if ready and not piece:
            break
        shown += piece
        if interrupt_at and not pressed and interrupt_at.encode() in shown:
            os.write(ours, CTRL_C)
            pressed = True
    os.close(ours)
    return Shown(process.wait(PATIENCE_S), shown.decode(errors="replace"))

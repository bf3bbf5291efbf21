"""Where a run's lines go: a terminal, with one line that moves, or anything else."""

import os
import sys
import time
from typing import Any, Protocol

from tqdm import tqdm

HEARTBEAT_S = 300.0
"""Seconds between the lines on a long job, where no line moves."""


class Screen(Protocol):
    """What shows a run."""

    def draw(self, stage: str, share: float, left: str) -> None:
        """Show the state of the run.

        Args:
            stage: the stage and how far it is.
            share: how much of the run is done, from 0 to 1.
            left: time left.
        """

    def finish_stage(self, text: str) -> None:
        """Show that a stage is done."""

    def say(self, text: str) -> None:
        """Show a message."""

    def close(self) -> None:
        """Take away what moves."""


class MovingLine:
    """A terminal: the last line moves, messages scroll above it."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def draw(self, stage: str, share: float, left: str) -> None:
        """Draw the line anew."""
        words = f"{stage} |{{bar}}| {share:.0%}{left and ', '}{left}"
        if self._bar is None:
            self._bar = tqdm(
                total=1.0, file=sys.stderr, dynamic_ncols=True, leave=False, bar_format=words
            )
        self._bar.bar_format = words
        self._bar.n = share
        self._bar.refresh()

    def finish_stage(self, text: str) -> None:
        """Show nothing: the line goes on to the next stage."""

    def say(self, text: str) -> None:
        """Print a message above the line."""
        if self._bar is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        """Remove the line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class PlainLines:
    """A file or a pipe: a line for each stage, and now and then one on a long job."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def draw(self, stage: str, share: float, left: str) -> None:
        """Print the state, but only after a long silence."""
        if time.monotonic() - self._last >= HEARTBEAT_S:
            self.say(f"{stage}; {share:.0%} of the run{left and ', '}{left}")

    def finish_stage(self, text: str) -> None:
        """Print the stage."""
        self.say(text)

    def say(self, text: str) -> None:
        """Print a line."""
        self._last = time.monotonic()
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing moves."""


def find_screen(style: str) -> Screen:
    """The screen of a style: ``line``, ``lines``, or ``auto``, by what standard error is."""
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return MovingLine() if style == "line" or (style == "auto" and terminal) else PlainLines()

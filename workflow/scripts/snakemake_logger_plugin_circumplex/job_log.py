"""The log of a job, read while the job writes it (`circumplex.pipeline.jobs.logs`)."""

import re
from dataclasses import dataclass
from pathlib import Path

PROGRESS = "circumplex.progress"
CLOSING = "circumplex.closing"
LIBRARIES = "py.warnings"
"""Logger of what Python's libraries warn of: for the log alone."""
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+) (\S+): (.*)")
COUNTS = re.compile(r"(\d+) of (\d+) (\w+)$")
TRACEBACK = "Traceback (most recent call last):"
CLOCKS = 1.0
"""Seconds by which the clocks of two machines may differ."""


@dataclass(frozen=True)
class Record:
    """A record of a log.

    Attributes:
        level: such as ``WARNING``.
        logger: name of the logger.
        text: the message, of one or more lines, without a traceback.
    """

    level: str
    logger: str
    text: str

    @property
    def counts(self) -> tuple[int, int, str] | None:
        """Done, all and unit, where it reports progress."""
        found = COUNTS.search(self.text) if self.logger == PROGRESS else None
        return (int(found[1]), int(found[2]), found[3]) if found else None

    @property
    def is_message(self) -> bool:
        """Whether a person should see it at once."""
        return self.level in ("WARNING", "ERROR", "CRITICAL") and self.logger != LIBRARIES

    @property
    def may_go_on(self) -> bool:
        """Whether lines that follow matter."""
        return self.is_message or self.logger == CLOSING


class JobLog:
    """Follow a log, record by record.

    Args:
        path: of the log.
        begun: when the job was started, in seconds since the epoch. What was written before is
            of an earlier run.
    """

    def __init__(self, path: Path, begun: float) -> None:
        self.path = path
        self._earlier = self._state()
        if self._earlier is not None and self._earlier[0] >= begun - CLOCKS:
            self._earlier = None
        self._offset = 0
        self._rest = b""
        self._open: Record | None = None
        self._in_traceback = False

    def read(self, *, to_the_end: bool = False) -> list[Record]:
        """Records since the last call.

        A message is held back until the next record begins, since it may have further lines.

        Args:
            to_the_end: the job is over: nothing is held back.
        """
        state = self._state()
        if state is None or state == self._earlier:
            return []
        self._earlier = None
        found = [record for line in self._lines(state[1]) for record in self._take(line)]
        if to_the_end:
            found += [*(self._take(_text(self._rest)) if self._rest else ()), *self._close()]
            self._rest = b""
        return found

    @property
    def was_written(self) -> bool:
        """Whether the job has begun to write it."""
        return self._offset > 0

    def _state(self) -> tuple[float, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime, found.st_size

    def _lines(self, size: int) -> list[str]:
        if size < self._offset:  # another attempt writes it anew
            self._offset, self._rest, self._open = 0, b"", None
        if size == self._offset:
            return []
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:
            return []
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        return [_text(line) for line in lines]

    def _take(self, line: str) -> list[Record]:
        if begins := RECORD.match(line):
            done = self._close()
            record = Record(*begins.groups())
            if not record.may_go_on:
                return [*done, record]
            self._open = record
            return done
        self._in_traceback |= line == TRACEBACK
        if self._open and not self._in_traceback:
            self._open = Record(self._open.level, self._open.logger, f"{self._open.text}\n{line}")
        return []

    def _close(self) -> list[Record]:
        closed, self._open, self._in_traceback = self._open, None, False
        return [closed] if closed else []


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")

"""One set-up for all scripts: logging, to the rule's log and warnings to the terminal too, and a
time limit, so that a job that hangs ends.
"""

import faulthandler
import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from circumplex.pipeline.boundary import SAMPLE

LENIENCE = 4.0
"""Times its ``runtime`` that a job may take: a cluster stops it at once; a machine of one's own may
be some times slower than the one that ``pipeline/resources.yaml`` was measured on."""


def set_up(log: str | Path, stage: str, resources: Any = None) -> None:
    """Send log records, warnings and the traceback of an uncaught error to ``log``.

    Warnings and errors also go to standard error, one line each; a traceback goes there as its
    last line alone, since Snakemake names the log of a failed job.

    Args:
        log: of the job.
        stage: the rule's name.
        resources: Snakemake's; with ``runtime``, in minutes, the process ends after `LENIENCE`
            times as long, and its log says where it hung.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.WARNING)
    to_terminal.setFormatter(logging.Formatter(f"{stage}: %(message)s"))
    for handler in (to_file, to_terminal):
        handler.addFilter(name_sample)
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_terminal], force=True)
    logging.captureWarnings(True)
    stream = to_file.stream or sys.stderr
    faulthandler.enable(file=stream)  # a library that crashes leaves a traceback
    runtime = None if resources is None else resources.get("runtime")
    if runtime:
        logging.getLogger(stage).info(
            "ends after %g minutes, done or not; raise it with --set-resources %s:runtime=MINUTES",
            *(LENIENCE * runtime, stage),
        )
        # A thread without Python: it ends a process that hangs in a library too.
        faulthandler.dump_traceback_later(LENIENCE * runtime * 60, file=stream, exit=True)

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        to_terminal.setLevel(logging.CRITICAL)
        logging.getLogger(stage).error("failed", exc_info=(kind, error, trace))
        print(f"{stage}: {kind.__name__}: {error} (log: {path})", file=sys.stderr)

    sys.excepthook = report


def name_sample(record: logging.LogRecord) -> bool:
    """Begin a record's message with the sample that is being made; keeps every record."""
    sample = SAMPLE.get()
    message = record.getMessage()
    if sample and not message.startswith(f"{sample}: "):
        record.msg, record.args = f"{sample}: {message}", ()
    return True

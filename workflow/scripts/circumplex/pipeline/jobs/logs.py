"""One set-up for all scripts: logging, to the rule's log and warnings to the terminal too, and a
time limit, so that a job that hangs ends.
"""

import faulthandler
import logging
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from circumplex.errors import CircumplexError
from circumplex.pipeline.boundary import SAMPLE
from circumplex.progress import CLOSING

LOG_ONLY = "CIRCUMPLEX_LOG_ONLY"
"""Environment variable that the logger plugin sets, which shows what is in the logs: then nothing
that a job or a library prints reaches the terminal."""
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LENIENCE = 4.0
"""Times its ``runtime`` that a job may take: a cluster stops it at once; a machine of one's own may
be some times slower than the one that ``pipeline/resources.yaml`` was measured on."""


def set_up(log: str | Path, stage: str, resources: Any = None) -> None:
    """Send log records, warnings and the traceback of an uncaught error to ``log``.

    Warnings and errors also go to standard error, one line each; a traceback goes there as its
    last line alone, since Snakemake names the log of a failed job. With `LOG_ONLY` in the
    environment nothing goes there, and all that is printed goes to the log.

    Args:
        log: of the job.
        stage: the rule's name.
        resources: Snakemake's; with ``runtime``, in minutes, the process ends after `LENIENCE`
            times as long, and its log says where it hung.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter(FORMAT))
    stream = to_file.stream or sys.stderr
    handlers: list[logging.Handler] = [to_file]
    log_only = bool(os.environ.get(LOG_ONLY))
    if log_only:
        for descriptor in (1, 2):  # of libraries in C, too
            os.dup2(stream.fileno(), descriptor)
    else:
        handlers.append(_to_terminal(f"{stage}: %(message)s", logging.WARNING))
        logging.getLogger(CLOSING).handlers = [_to_terminal("\n%(message)s\n", logging.INFO)]
    for handler in handlers:
        handler.addFilter(name_sample)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.captureWarnings(True)
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
        if issubclass(kind, KeyboardInterrupt):
            logging.getLogger(stage).info("stopped")
            return
        text = str(error) if isinstance(error, CircumplexError) else f"{kind.__name__}: {error}"
        for handler in handlers[1:]:
            handler.setLevel(logging.CRITICAL)
        logging.getLogger(stage).error("%s", text, exc_info=(kind, error, trace))
        if not log_only:
            print(f"{stage}: {text} (log: {path})", file=sys.stderr)

    sys.excepthook = report


def _to_terminal(form: str, level: int) -> logging.Handler:
    """A handler that prints records of a level and above."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter(form))
    return handler


def name_sample(record: logging.LogRecord) -> bool:
    """Begin a record's message with the sample that is being made; keeps every record."""
    sample = SAMPLE.get()
    message = record.getMessage()
    if sample and not message.startswith(f"{sample}: "):
        record.msg, record.args = f"{sample}: {message}", ()
    return True

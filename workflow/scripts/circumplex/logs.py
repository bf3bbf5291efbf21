"""One logging set-up for all scripts: all of it to the rule's log, warnings to the terminal too."""

import logging
import sys
from pathlib import Path
from types import TracebackType


def set_up(log: str | Path, stage: str) -> None:
    """Send log records, warnings and the traceback of an uncaught error to ``log``.

    Warnings and errors also go to standard error, one line each; a traceback goes there as its
    last line alone, since Snakemake names the log of a failed job.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.WARNING)
    to_terminal.setFormatter(logging.Formatter(f"{stage}: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_terminal], force=True)
    logging.captureWarnings(True)

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        to_terminal.setLevel(logging.CRITICAL)
        logging.getLogger(stage).error("failed", exc_info=(kind, error, trace))
        print(f"{stage}: {kind.__name__}: {error} (log: {path})", file=sys.stderr)

    sys.excepthook = report

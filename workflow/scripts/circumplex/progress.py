"""What a job reports while it runs, as lines of its log.

The logger plugin (`snakemake_logger_plugin_circumplex`) reads them there, whatever node the job
runs on: a log costs nothing, and needs no connection.
"""

import logging
from collections.abc import Iterable

PROGRESS = "circumplex.progress"
"""Logger whose messages end in ``<done> of <all> <unit>``."""
CLOSING = "circumplex.closing"
"""Logger whose message is the last text of a run."""


def report_progress(done: int, total: int, unit: str) -> None:
    """Log how much of the job's work is done.

    Args:
        done: number of finished units, from 0.
        total: number of all units.
        unit: plural of what is counted, such as ``samples``.
    """
    logging.getLogger(PROGRESS).info("%d of %d %s", done, total, unit)


def report_closing(lines: Iterable[str]) -> None:
    """Log what the run has to say when it ends."""
    logging.getLogger(CLOSING).info("%s", "\n".join(lines))

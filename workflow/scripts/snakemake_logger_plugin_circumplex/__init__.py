"""The terminal of a run: one line that moves, each failure once, and the results at the end.

A logger plugin of Snakemake 9, which finds it by the name of this package: ``--logger circumplex``.
It runs in Snakemake's own process, which may be another installation's: it imports nothing of
``circumplex``. What jobs report it reads from their logs.
"""

from snakemake_logger_plugin_circumplex.handler import LogHandler, LogHandlerSettings

__all__ = ["LogHandler", "LogHandlerSettings"]

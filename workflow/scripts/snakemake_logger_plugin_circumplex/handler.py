"""The handler that Snakemake gives its log records to."""

import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from logging import ERROR, WARNING, Handler, LogRecord
from pathlib import Path
from types import TracebackType
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

from snakemake_logger_plugin_circumplex.early_output import EarlyOutput
from snakemake_logger_plugin_circumplex.job_log import CLOSING, JobLog, Record
from snakemake_logger_plugin_circumplex.messages import (
    CHATTER,
    ENDED,
    INTERRUPTED,
    NOTHING,
    RESTARTED,
    plain_error,
)
from snakemake_logger_plugin_circumplex.progress import Facts, Progress, duration, time_left
from snakemake_logger_plugin_circumplex.screen import find_screen

LOG_ONLY = "CIRCUMPLEX_LOG_ONLY"
"""Environment variable by which jobs write to their logs alone: `circumplex.pipeline.jobs.logs`."""
SNAKEMAKE = "snakemake"
STYLES = ("auto", "line", "lines", SNAKEMAKE)
POLL_S = 1.0
"""Seconds between two looks at the logs of the running jobs."""
POLL_JOB_S = 0.05
"""Seconds more for each running job: a shared folder of a cluster is slow."""
SETTLED_S = 2.0
"""Seconds after which the log of a job that died holds all that it will."""
STOPPED = "stopped; run the same command to continue"


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Options of the plugin: ``--logger-circumplex-style``.

    Attributes:
        style: how the run is shown.
    """

    style: str = field(
        default="auto",
        metadata={
            "help": "line: one line that moves; lines: one for each stage; auto: the first on a "
            "terminal, else the second; snakemake: what Snakemake itself prints",
            "choices": STYLES,
            "metavar": "STYLE",
        },
    )


@dataclass
class WatchedJob:
    """A job that was started.

    Attributes:
        label: stage and unit.
        log: its log, if it has one.
        error: its last error message.
        closing: the run's last text, if it reported that.
    """

    label: str
    log: JobLog | None
    error: str = ""
    closing: str = ""


class LogHandler(LogHandlerBase):
    """Shows a run: see the package.

    A dry run, ``--verbose`` and ``--quiet all`` are shown as Snakemake does.
    """

    def __post_init__(self) -> None:
        """Choose how the run is shown."""
        style = getattr(self.settings, "style", "auto")
        common = self.common_settings
        silenced = "all" in {getattr(kind, "name", "").lower() for kind in common.quiet or ()}
        asked = common.dryrun or common.verbose or common.debug_dag or silenced
        as_snakemake = style == SNAKEMAKE or asked
        self._snakemakes = _default_handler(common) if as_snakemake else None
        self._screen = find_screen(style)
        self._facts = Facts()
        self._progress: Progress | None = None
        self._jobs: dict[int, WatchedJob] = {}
        self._failed: dict[int, str] = {}
        self._unexplained: list[tuple[float, str]] = []
        self._said: set[str] = set()
        self._closing = ""
        self._interrupted = self._wrong = False
        self._over = threading.Event()
        self._early = None if as_snakemake else EarlyOutput()
        if not as_snakemake:
            os.environ[LOG_ONLY] = "1"
            sys.excepthook = _without_traceback_of_ctrl_c
            # Python's complaint about what Snakemake leaves when Ctrl-C ends its scheduler.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            threading.Thread(target=self._poll, name="progress", daemon=True).start()

    @property
    def writes_to_stream(self) -> bool:
        """It writes to standard error, and the run's last lines to standard output."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """It chooses by itself what to show."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It formats by itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It needs no graph of the rules."""
        return False

    def emit(self, record: LogRecord) -> None:
        """Take up what Snakemake logs."""
        try:
            if self._snakemakes is not None:
                self._snakemakes.handle(record)
            elif facts := getattr(record, "circumplex", None):
                self._facts = Facts(**facts)
            else:
                self._take(record)
        except Exception:  # a fault of the display must not end the run
            self.handleError(record)

    def _take(self, record: LogRecord) -> None:
        values = record.__dict__
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                self._begin(values["stats"])
            case LogEvent.JOB_INFO:
                self._start(values, record.created)
            case LogEvent.JOB_FINISHED:
                self._finish(values["job_id"])
            case LogEvent.JOB_ERROR:
                self._fail(values["jobid"], values["rule_name"], values["rule_msg"], values["log"])
            case LogEvent.GROUP_ERROR:
                for job in values["job_error_info"]:
                    self._fail(job["jobid"], job["rule_name"], values["msg"], job["log"])
            case LogEvent.ERROR:
                self._report_error(record.getMessage(), values.get("exception", ""))
            case None:
                self._take_message(record)

    def _begin(self, stats: Mapping[str, int]) -> None:
        counts = {name: count for name, count in stats.items() if name != "total"}
        self._progress = Progress(counts, self._facts)
        samples = sum(self._facts.samples.values())
        of_samples = f" for {samples} sample{'s' * (samples != 1)}" if samples else ""
        jobs = sum(counts.values())
        self._screen.say(f"{jobs} job{'s' * (jobs != 1)} to run{of_samples}")

    def _start(self, values: Mapping[str, Any], created: float) -> None:
        number, stage = values["jobid"], values["rule_name"]
        logs = values["log"]
        log = JobLog(Path(_path(logs[0])), created) if logs else None
        self._jobs[number] = WatchedJob(values["rule_msg"] or stage, log)
        if self._progress is not None:
            self._progress.start(number, stage, dict(values["wildcards"] or {}).get("shard"))
        self._draw()

    def _finish(self, number: int) -> None:
        self._failed.pop(number, None)
        if job := self._jobs.pop(number, None):
            self._read(number, job, to_the_end=True)
            self._closing = job.closing or self._closing
        if self._progress is not None and (stage := self._progress.finish(number)):
            self._screen.finish_stage(self._progress.describe_finished(stage))
        self._draw()

    def _fail(self, number: int, stage: str, message: str | None, logs: Sequence[str]) -> None:
        job = self._jobs.pop(number, None) or WatchedJob(stage, None)
        self._read(number, job, to_the_end=True)
        if self._progress is not None:
            self._progress.fail(number)
        self._closing = job.closing or self._closing
        if job.closing:  # which says what failed
            self._wrong = True
            return
        place = f" (log: {_path(logs[0])})" if logs else ""
        self._failed[number] = job.label
        if job.error:
            self._say(f"{job.label} failed: {job.error}{place}")
        else:
            early = self._early.read() if self._early else ""
            reason = (message or "").strip() or early
            reason = reason or "it ended without a message: killed, perhaps"
            text = f"{job.label} failed: {reason}{place}"
            self._unexplained.append((time.monotonic(), text))

    def _report_error(self, text: str, exception: str) -> None:
        if exception == "KeyboardInterrupt":
            self._interrupted = True
        elif not any(words in text for words in ENDED):
            self._wrong = True
            self._say(plain_error(text))

    def _take_message(self, record: LogRecord) -> None:
        text = record.getMessage()
        if text.startswith(INTERRUPTED):
            self._interrupted = True
        elif found := RESTARTED.match(text):
            self._explain(time.monotonic())
            self._say(f"{self._failed.pop(int(found[1]), 'the job')} is tried again")
        elif text.startswith(NOTHING):
            self._say("nothing to do: all results are up to date")
        elif not (text in ("", "None") or text.startswith(CHATTER)) and (
            record.levelno >= WARNING or self._progress is None
        ):
            self._wrong |= record.levelno >= ERROR
            self._say(plain_error(text))

    def _poll(self) -> None:
        """Look at the logs of the running jobs, and draw, until the end."""
        wait = POLL_S
        while not self._over.wait(wait):
            self.acquire()
            try:
                if self._over.is_set():
                    return
                for number, job in list(self._jobs.items()):
                    self._read(number, job)
                self._explain(time.monotonic() - SETTLED_S)
                self._draw()
                wait = POLL_S + POLL_JOB_S * len(self._jobs)
            finally:
                self.release()

    def _read(self, number: int, job: WatchedJob, *, to_the_end: bool = False) -> None:
        if job.log is None:
            return
        had_begun = job.log.was_written
        records = job.log.read(to_the_end=to_the_end)
        if self._progress is not None and number in self._jobs:
            if job.log.was_written and not had_begun:
                self._progress.begin(number)
            for record in records:
                if counts := record.counts:
                    self._progress.report(number, *counts)
        for record in records:
            self._take_record(job, record)

    def _take_record(self, job: WatchedJob, record: Record) -> None:
        stage = job.label.split(" ")[0]
        if record.logger == CLOSING:
            job.closing = record.text
        elif record.level == "ERROR" and record.logger == stage:
            job.error = record.text
        elif record.is_message:
            named = re.search(rf"\b{re.escape(stage)}\b", record.text)
            self._say(record.text if named else f"{stage}: {record.text}")

    def _explain(self, before: float) -> None:
        """Show failures of jobs that left no message, once it is clear that nobody ended them."""
        for since, text in list(self._unexplained):
            if since <= before:
                self._unexplained.remove((since, text))
                if not self._interrupted:
                    self._say(text)

    def _say(self, text: str) -> None:
        """Show a message, once in a run."""
        if text not in self._said:
            self._said.add(text)
            self._screen.say(text)

    def _draw(self) -> None:
        if self._progress is not None and not self._interrupted:
            share, left = self._progress.estimate()
            self._screen.draw(self._progress.describe(), share, time_left(left))

    def close(self) -> None:
        """Take away the line and say how the run ended; the results, or the failures, last."""
        self.acquire()
        try:
            if self._snakemakes is None and not self._over.is_set():
                self._end()
            self._over.set()
        finally:
            self.release()
        super().close()

    def _end(self) -> None:
        for number, job in list(self._jobs.items()):
            self._read(number, job, to_the_end=True)
        self._explain(time.monotonic())
        self._screen.close()
        if self._interrupted:
            print(STOPPED, file=sys.stderr, flush=True)
            return
        if self._failed:
            print(
                f"{len(self._failed)} of the jobs failed, see above; what does not depend on them "
                "was finished. Run the same command to try again.",
                file=sys.stderr,
                flush=True,
            )
        elif self._progress is not None and self._progress.finished and not self._wrong:
            jobs = self._progress.finished
            took = duration(self._progress.elapsed_s)
            print(f"{jobs} job{'s' * (jobs != 1)} done in {took}", file=sys.stderr, flush=True)
        if self._closing:
            print(f"\n{self._closing}", flush=True)


def _default_handler(common: Any) -> Handler:
    """What shows a run where no plugin does."""
    from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter

    handler: Handler = ColorizingTextHandler(
        nocolor=common.nocolor,
        stream=sys.stdout if common.stdout else sys.stderr,
        formatter=DefaultFormatter(common.quiet, common.show_failed_logs),
        filter=DefaultFilter(
            common.quiet, common.debug_dag, common.verbose, common.dryrun, common.printshellcmds
        ),
    )
    return handler


def _path(log: str) -> str:
    """A log's path, without what Snakemake adds to it where files lie in a storage."""
    return re.sub(r" \([^()]*storage\)$", "", log)


def _without_traceback_of_ctrl_c(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Say that the run was stopped, where Ctrl-C meets Snakemake outside its scheduler."""
    if issubclass(kind, KeyboardInterrupt):
        print(STOPPED, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)

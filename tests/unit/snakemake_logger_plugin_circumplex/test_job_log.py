"""The plugin reads what jobs write: logger names and format are held together here."""

import logging
import os
import time

import pytest

from circumplex import progress
from circumplex.pipeline.jobs import logs
from circumplex.progress import report_closing, report_progress
from snakemake_logger_plugin_circumplex import handler, job_log
from snakemake_logger_plugin_circumplex.job_log import JobLog, Record


@pytest.fixture
def path(tmp_path):
    """A log that the loggers of this process write, as a job's do."""
    path = tmp_path / "stage" / "x.log"
    path.parent.mkdir()
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter(logs.FORMAT))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield path
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


def test_names_are_those_that_jobs_use():
    assert (job_log.PROGRESS, job_log.CLOSING) == (progress.PROGRESS, progress.CLOSING)
    assert handler.LOG_ONLY == logs.LOG_ONLY


def test_progress_is_read_at_once(path):
    log = JobLog(path, time.time() - 10)
    report_progress(3, 12, "samples")
    (record,) = log.read()
    assert record.counts == (3, 12, "samples")
    assert log.read() == []
    report_progress(4, 12, "samples")
    assert [record.counts for record in log.read()] == [(4, 12, "samples")]


def test_progress_is_read_where_the_line_names_a_sample():
    assert Record("INFO", job_log.PROGRESS, "clip 7: 3 of 12 samples").counts == (3, 12, "samples")
    assert Record("INFO", "circumplex.a", "3 of 12 samples").counts is None


def test_a_message_waits_for_its_further_lines_and_leaves_the_traceback_out(path):
    log = JobLog(path, time.time() - 10)
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("stage_x").exception("first line\nsecond line")
    assert log.read() == []
    logging.getLogger("circumplex.a").info("next")
    message, following = log.read()
    assert message == Record("ERROR", "stage_x", "first line\nsecond line")
    assert message.is_message
    assert following.text == "next"


def test_at_the_end_nothing_is_held_back(path):
    log = JobLog(path, time.time() - 10)
    report_closing(["report: a", "", "2 failed:", "  b"])
    assert log.read() == []
    (closing,) = log.read(to_the_end=True)
    assert closing == Record("INFO", job_log.CLOSING, "report: a\n\n2 failed:\n  b")


def test_warnings_of_libraries_are_for_the_log_alone():
    assert not Record("WARNING", "py.warnings", "x.py:3: UserWarning: old").is_message
    assert Record("WARNING", "circumplex.a", "a: failed").is_message
    assert not Record("INFO", "circumplex.a", "begins").is_message


def test_the_log_of_an_earlier_run_is_not_read(path):
    report_progress(1, 2, "samples")
    before = time.time() - 100
    os.utime(path, (before, before))
    log = JobLog(path, time.time())
    assert log.read(to_the_end=True) == []
    assert not log.was_written
    report_progress(2, 2, "samples")
    assert log.read()[-1].counts == (2, 2, "samples")


def test_the_log_of_a_second_attempt_is_read_from_its_start(tmp_path):
    path = tmp_path / "x.log"
    log = JobLog(path, time.time())
    line = "2026-11-28 14:00:00,000 INFO circumplex.progress: {} of 9 samples\n"
    path.write_text(line.format(8) + line.format(9))
    assert len(log.read()) == 2
    path.write_text(line.format(1))
    assert [record.counts for record in log.read()] == [(1, 9, "samples")]


def test_a_half_line_waits_for_its_end(tmp_path):
    path = tmp_path / "x.log"
    log = JobLog(path, time.time())
    line = "2026-11-28 14:00:00,000 INFO circumplex.progress: 8 of 9 samples\n"
    path.write_text(line[:40])
    assert log.read() == []
    with path.open("a") as file:
        file.write(line[40:])
    assert [record.counts for record in log.read()] == [(8, 9, "samples")]


def test_a_log_that_is_not_there_is_empty(tmp_path):
    log = JobLog(tmp_path / "none.log", time.time())
    assert log.read(to_the_end=True) == []

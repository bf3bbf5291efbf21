"""The handler, given what Snakemake logs."""

import logging
import os
import warnings
from subprocess import CalledProcessError
from types import SimpleNamespace

import pytest
from snakemake.settings.enums import Quietness
from snakemake.shell import shell
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from snakemake_logger_plugin_circumplex import LogHandler, LogHandlerSettings
from snakemake_logger_plugin_circumplex.handler import LOG_ONLY, STOPPED

LINE = "2026-11-28 14:00:00,000 {} {}: {}\n"


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch):
    """What the handler sets in its process is undone."""
    monkeypatch.setenv(LOG_ONLY, "")
    monkeypatch.setattr("sys.excepthook", None)
    monkeypatch.setattr("warnings.filters", list(warnings.filters))
    monkeypatch.setattr(shell, "_process_prefix", None)


class TestAsSnakemakeAsks(TestLogHandlerBase):
    """The tests of Snakemake's interface."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def closed_in_the_end(self):
        self.made = []
        yield
        for handler in self.made:
            handler.close()

    def _create_handler(self):
        self.made.append(super()._create_handler())
        return self.made[-1]

    def get_log_handler_cls(self):
        return LogHandler

    def get_log_handler_settings(self):
        return LogHandlerSettings()


class Run:
    """A run whose events the tests give."""

    def __init__(self, folder, style="lines", **common):
        settings = MockOutputSettings()
        vars(settings).update(common)
        self.handler = LogHandler(settings, LogHandlerSettings(style))
        self.folder = folder

    def log(self, message="", level=logging.INFO, **values):
        record = logging.LogRecord("snakemake", level, "x.py", 1, message, (), None)
        vars(record).update(values)
        self.handler.handle(record)

    def begin(self, **counts):
        facts = {"samples": {"0": 10, "1": 6}, "seconds": {"align_faces": 30.0}}
        self.log(circumplex=facts)
        self.log(event=LogEvent.RUN_INFO, stats={**counts, "total": sum(counts.values())})

    def start(self, number, stage="align_faces", shard="0"):
        log = self.folder / f"{stage}-{number}.log"
        self.log(
            event=LogEvent.JOB_INFO,
            jobid=number,
            rule_name=stage,
            rule_msg=f"{stage} {shard}",
            wildcards={"shard": shard} if shard else {},
            log=[str(log)],
        )
        return log

    def finish(self, number):
        self.log(event=LogEvent.JOB_FINISHED, job_id=number)

    def fail(self, number, stage="align_faces", message=None):
        log = [str(self.folder / f"{stage}-{number}.log")]
        self.log(
            event=LogEvent.JOB_ERROR,
            level=logging.ERROR,
            jobid=number,
            rule_name=stage,
            rule_msg=message,
            log=log,
        )
        command = "Command 'python x.py' returned non-zero exit status 1."
        self.log(
            f"CalledProcessError in file x.smk, line 3:\n{command}",
            level=logging.ERROR,
            event=LogEvent.ERROR,
            exception="RuleException",
        )


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    yield run
    run.handler.close()


def test_a_good_run_is_a_line_for_each_stage_and_its_results(run, capsys):
    run.log("Building DAG of jobs...")
    run.begin(align_faces=2, check_failures=1)
    for number, shard in ((1, "0"), (2, "1")):
        run.start(number, shard=shard)
        run.finish(number)
    log = run.start(3, "check_failures", None)
    log.write_text(LINE.format("INFO", "circumplex.closing", "report: a\nplayer: b"))
    run.finish(3)
    run.log("Complete log(s): /x/y.log")
    run.handler.close()
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "3 jobs to run for 16 samples",
        "align_faces: 16 samples, 0 s",
        "check_failures: 0 s",
        "3 jobs done in 0 s",
    ]
    assert printed.out == "\nreport: a\nplayer: b\n"
    assert os.environ[LOG_ONLY] == "1"


def test_a_failed_sample_is_shown_when_it_fails_and_the_table_is_the_last_thing(run, capsys):
    run.begin(align_faces=1, check_failures=1)
    log = run.start(1)
    text = "clip05: failed in align_faces: no picture"
    log.write_text(LINE.format("WARNING", "circumplex.pipeline.store", text))
    run.finish(1)
    assert text in capsys.readouterr().err.splitlines()
    log = run.start(2, "check_failures", None)
    table = "report: a\n\n1 of the samples failed:\n  clip05: align_faces: no picture"
    log.write_text(LINE.format("INFO", "circumplex.closing", table))
    run.fail(2, "check_failures")
    final = "At least one job did not complete successfully."
    run.log(f"WorkflowError:\n{final}", logging.ERROR, event=LogEvent.ERROR, exception="W")
    run.handler.close()
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out == f"\n{table}\n"


def test_a_failed_job_says_why_and_where_its_log_is(run, capsys):
    run.begin(align_faces=1)
    log = run.start(1)
    error = LINE.format("ERROR", "align_faces", "the weights are damaged\nfetch them again")
    log.write_text(f"{error}Traceback (most recent call last):\n  File x\nE: y\n")
    run.fail(1)
    run.handler.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "align_faces 0 failed: the weights are damaged"
    assert lines[2] == f"fetch them again (log: {log})"
    assert lines[3].startswith("1 of the jobs failed, see above;")
    assert len(lines) == 4


def test_what_a_job_prints_before_its_log_is_open_is_kept_from_the_terminal(run, capfd):
    run.begin(align_faces=2)
    for number, text in enumerate(("No module named circumplex", "No space left on device")):
        run.start(number)
        with pytest.raises(CalledProcessError):
            shell(f"echo {text} >&2; false")
        assert capfd.readouterr().err.count(text) == 0
        run.fail(number)
    run.handler.close()
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("align_faces 0 failed: No module named circumplex (log: ")
    assert lines[1].startswith("align_faces 0 failed: No space left on device (log: ")


def test_a_job_that_was_killed_and_tried_again(run, capsys):
    run.begin(align_faces=1)
    run.start(1)
    run.fail(1, message="SLURM status is: 'OUT_OF_MEMORY'")
    run.log("Trying to restart job 1.")
    run.start(1)
    run.finish(1)
    run.handler.close()
    lines = capsys.readouterr().err.splitlines()
    assert "align_faces 0 is tried again" in lines
    assert any(line.startswith("align_faces 0 failed: SLURM status is:") for line in lines)
    assert lines[-1] == "1 job done in 0 s"


def test_ctrl_c_says_how_to_go_on_and_names_no_failure(run, capsys):
    run.begin(align_faces=1)
    run.start(1)
    run.fail(1)
    run.log("Terminating processes on user request, this might take some time.")
    run.handler.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == [STOPPED]


def test_a_warning_is_shown_once(run, capsys):
    run.begin(align_faces=2)
    for number in (1, 2):
        text = LINE.format("WARNING", "circumplex.a", "bfloat16 is emulated here")
        run.start(number).write_text(text)
        run.finish(number)
    assert capsys.readouterr().err.count("align_faces: bfloat16 is emulated here") == 1


def test_what_snakemake_does_besides_runs_is_shown(run, capsys):
    run.log("Unlocked working directory.")
    run.log("Nothing to be done (all requested files are present and up to date).")
    run.log("Assuming unrestricted shared filesystem usage.")
    assert capsys.readouterr().err.splitlines() == [
        "Unlocked working directory.",
        "nothing to do: all results are up to date",
    ]


@pytest.mark.parametrize("common", [{"dryrun": True, "stdout": True}, {"verbose": True}])
def test_a_dry_run_and_verbose_output_are_snakemakes_own(tmp_path, capsys, common):
    run = Run(tmp_path, "auto", quiet=set(), **common)
    run.log("This was a dry-run")
    run.handler.close()
    printed = capsys.readouterr()
    assert (printed.out if "stdout" in common else printed.err) == "This was a dry-run\n"
    assert os.environ[LOG_ONLY] == ""


def test_quiet_all_is_quiet(tmp_path, capsys):
    run = Run(tmp_path, "auto", quiet={Quietness.ALL})
    run.begin(align_faces=1)
    run.handler.close()
    assert capsys.readouterr() == ("", "")


def test_the_line_moves_and_messages_stand_above_it(tmp_path, capsys):
    run = Run(tmp_path, "line")
    run.begin(align_faces=2)
    log = run.start(1)
    log.write_text(LINE.format("WARNING", "circumplex.a", "align_faces: a message"))
    run.finish(1)
    run.start(2, shard="1")
    run.handler.close()
    text = capsys.readouterr().err
    shown = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    assert "align_faces: a message" in shown
    assert "\ralign_faces 10 of 16 samples |" in text
    assert "\x1b" not in text
    assert shown[-1] == "", "the line is gone"


def test_a_fault_of_the_display_is_reported_and_the_run_goes_on(run, capsys):
    run.begin(align_faces=1)
    run.log(event=LogEvent.JOB_INFO, jobid=1)  # without what belongs to it
    assert "KeyError" in capsys.readouterr().err
    log = run.start(1)
    log.write_text(LINE.format("WARNING", "align_faces", "clip: failed in align_faces: why"))
    run.handler.close()
    assert "clip: failed in align_faces: why" in capsys.readouterr().err


def test_no_error_where_a_terminal_is_dumb(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    run = Run(tmp_path, "auto")
    run.begin(align_faces=1)
    run.start(1)
    run.handler.close()
    assert "\r" not in capsys.readouterr().err


def test_a_job_of_a_group_names_itself(run, capsys):
    run.begin(align_faces=1)
    log = run.start(1)
    log.write_text(LINE.format("ERROR", "align_faces", "no memory"))
    info = SimpleNamespace(jobid=1, rule_name="align_faces", log=[str(log)])
    run.log(
        event=LogEvent.GROUP_ERROR,
        level=logging.ERROR,
        msg="",
        job_error_info=[vars(info)],
        groupid="faces",
    )
    assert "align_faces 0 failed: no memory" in capsys.readouterr().err

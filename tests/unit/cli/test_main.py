"""The command `circumplex`: its help, its exit statuses, and what it prints on errors."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from circumplex.cli import main as cli
from circumplex.errors import RequestError
from places import ROOT


def run(*words, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", "circumplex", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_names_every_subcommand_and_imports_none():
    program = (
        "import sys\n"
        "from circumplex.cli.main import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "print(*sorted(m for m in sys.modules if m[:11] == 'circumplex.'), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in cli.COMMANDS)
    assert done.stderr.split() == ["circumplex.cli", "circumplex.cli.main", "circumplex.errors"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_subcommands_help_has_an_example_that_its_parser_takes(name, capsys):
    words = cli.load(name).EXAMPLE.split()
    assert words[:2] == ["circumplex", name]
    assert cli.make_parser(words[1:]).parse_args(words[1:]).command == name
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    assert cli.load(name).EXAMPLE in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["bogus"], ["clean"], ["sheet"], ["estimate", "--bogus"]])
def test_invalid_arguments_exit_with_2(words):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2


def test_an_error_of_ours_is_one_line_and_exits_with_1(tmp_path):
    done = run("clean", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"circumplex: error: {tmp_path} holds no store: name the results folder of a run"
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [(RequestError("no"), 1), (OSError("disk full"), 1), (KeyboardInterrupt(), 130)],
)
def test_exit_statuses(error, status, monkeypatch):
    def fail(_):
        raise error

    command = SimpleNamespace(EXAMPLE="", add_arguments=lambda _: None, run=fail)
    monkeypatch.setattr(cli, "load", lambda _: command)
    assert cli.main(["clean"]) == status


def test_a_bug_keeps_its_traceback(monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    command = SimpleNamespace(EXAMPLE="", add_arguments=lambda _: None, run=fail)
    monkeypatch.setattr(cli, "load", lambda _: command)
    with pytest.raises(ZeroDivisionError):
        cli.main(["clean"])

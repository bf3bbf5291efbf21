"""Commands and paths that README.md and docs/ name: those that need no run to be checked."""

import re
import subprocess
from importlib.util import find_spec

from circumplex.cli.main import COMMANDS, make_parser
from documented_commands import DOCUMENTS, ENVIRONMENT, documented_commands
from places import ROOT

PACKAGE = ROOT / "workflow/scripts/circumplex"
EXAMPLE = "loudness"  # the feature that docs/extractors.md adds
FOLDERS = "benchmarks|config|demo|docs|envs|profiles|tests|tools|workflow"
PATH = re.compile(rf"(?<![\w./<>-])((?:{FOLDERS})/[\w./*-]*\w)(?![\w<]|\.\.)")
LINK = re.compile(r"\]\((?!http)([^)#]+)[^)]*\)")


def parses(words):
    try:
        make_parser(words).parse_args(words)
    except SystemExit:
        return False
    return True


def test_the_documents_are_read():
    lines = [command.line for command in documented_commands()]
    assert len(lines) > 50
    assert "make demo" in lines
    assert any(line.startswith("circumplex predict") for line in lines)


def test_every_command_runs_in_the_environment():
    offenders = [
        str(command)
        for command in documented_commands("circumplex", "snakemake", "python", "pip")
        if not (command.inline or command.activated or command.line.startswith(ENVIRONMENT))
    ]
    assert offenders == []


def test_every_circumplex_command_parses(capsys):
    offenders = [
        str(command)
        for command in documented_commands("circumplex")
        if (command.words[1] not in COMMANDS if command.inline else not parses(command.words[1:]))
    ]
    assert offenders == [], capsys.readouterr().err


def test_every_make_target_exists():
    targets = sorted({command.words[1] for command in documented_commands("make")})
    done = subprocess.run(
        ["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_python_module_and_script_exists():
    offenders = []
    for command in documented_commands("python"):
        first, second, *_ = [*command.words[1:], ""]
        there = find_spec(second) if first == "-m" else (ROOT / first).is_file()
        if not there:
            offenders.append(str(command))
    assert offenders == []


def test_every_path_exists():
    offenders = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        named = {path: (ROOT, PACKAGE) for path in PATH.findall(text) if EXAMPLE not in path}
        named |= {link: (document.parent,) for link in LINK.findall(text)}
        offenders += [
            f"{document.name}: {path}"
            for path, folders in named.items()
            if not any(list(folder.glob(path)) for folder in folders)
        ]
    assert offenders == []

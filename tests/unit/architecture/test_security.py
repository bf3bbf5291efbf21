"""Nothing that a file, a name or an annotation says is run, or written outside the results."""

import ast
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from circumplex.io.atomic import write_text
from circumplex.pipeline.store import SampleRequest, Stage, run_shard
from places import ROOT
from synthetic_report import PLACE, Corpus, empty_inputs, write

SOURCES = sorted(
    path for folder in ("workflow", "demo", "tools") for path in (ROOT / folder).rglob("*.py")
)
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
# What ruff's S rules (pyproject.toml) do not see; they cover pickle, marshal, eval and shells.
RUNS_WHAT_IT_READS = {
    *("compile", "__import__", "shelve.open", "joblib.load", "torch.hub.load", "torch.jit.load"),
    *("yaml.load_all", "yaml.full_load", "yaml.full_load_all", "yaml.unsafe_load"),
}
REQUIRED_KEYWORDS = {
    "torch.load": ("weights_only", "True"),
    "numpy.load": ("allow_pickle", "False"),
}
STARTS_PROCESSES = (
    "circumplex/cli/predict.py",  # Snakemake
    "circumplex/pipeline/jobs/backbone.py",  # torchrun, one process per GPU
)
SHORT = {"np": "numpy", "pd": "pandas"}


def called(node: ast.Call) -> str:
    """Dotted name of what is called."""
    name = ast.unparse(node.func)
    first, dot, rest = name.partition(".")
    return SHORT.get(first, first) + dot + rest


def find_dangers(source: str) -> list[str]:
    """Calls that run what they read, or might."""
    dangers = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name, words = called(node), {k.arg: k.value for k in node.keywords}
        if name in RUNS_WHAT_IT_READS:
            dangers.append(name)
        if name in REQUIRED_KEYWORDS:
            key, value = REQUIRED_KEYWORDS[name]
            if key not in words or ast.unparse(words[key]) != value:
                dangers.append(f"{name} without {key}={value}")
    return dangers


def test_no_source_runs_what_it_reads():
    assert len(SOURCES) > 150
    offenders = {
        str(path.relative_to(ROOT)): dangers
        for path in SOURCES
        if (dangers := find_dangers(path.read_text(encoding="utf-8")))
    }
    assert offenders == {}


def test_dangerous_calls_are_found():
    source = """
compile(text, "a", "exec")
torch.hub.load(name)
np.load(path)
np.load(path, allow_pickle=True)
torch.load(path, weights_only=False)
yaml.full_load(file)
np.load(path, allow_pickle=False); torch.load(path, weights_only=True)
yaml.safe_load(file); yaml.load(file, Loader=yaml.CSafeLoader); re.compile(text)
"""
    assert len(find_dangers(source)) == 6


def test_ruff_finds_the_other_dangerous_calls(tmp_path):
    source = tmp_path / "dangers.py"
    lines = {
        "S102": "exec(text)",
        "S301": "import pickle; pickle.load(file)",
        "S302": "import marshal; marshal.loads(text)",
        "S307": "eval(text)",
        "S506": "import yaml; yaml.load(file, Loader=yaml.CLoader)",
        "S602": "import subprocess; subprocess.run(line, shell=True)",
        "S605": "import os; os.system(line)",
    }
    source.write_text("\n".join(lines.values()))
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json"]
    command += ["--config", str(ROOT / "pyproject.toml"), str(source)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {problem["code"] for problem in json.loads(result.stdout)}
    assert set(lines) - found == set()


def test_no_rule_reaches_a_shell():
    shells = re.compile(r"^ +(?:shell|run|wrapper|notebook|cwl):", re.MULTILINE)
    offenders = [str(path.relative_to(ROOT)) for path in RULES if shells.search(path.read_text())]
    scripts = ROOT / "workflow/scripts"
    offenders += [
        str(path.relative_to(scripts))
        for path in scripts.rglob("*.py")
        if "subprocess" in path.read_text()
    ]
    assert sorted(offenders) == sorted(STARTS_PROCESSES)


@pytest.mark.parametrize("name", STARTS_PROCESSES)
def test_what_starts_processes_does_so_by_a_list_of_words(name):
    path = ROOT / "workflow/scripts" / name
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    started = [node for node in calls if called(node).startswith("subprocess.")]
    assert [called(node) for node in started] == ["subprocess.run"]
    (call,) = started
    assert [ast.unparse(word) for word in call.args] == ["command"]
    assert {word.arg for word in call.keywords} <= {"env", "check"}, "no shell, no other executable"
    values = [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign | ast.AugAssign)
        and ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        == "command"
    ]
    assert values
    assert all(isinstance(value, ast.List) for value in values), "a word stays a word"


def test_a_planted_link_is_replaced_and_not_followed(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    results = tmp_path / "results"
    stage = Stage("extract_x", results, "code", {}, ".txt")
    link = stage.link_path("a")
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)

    def make(_request, output, _metadata):
        write_text(output, "made")

    run_shard(stage, results / "index/extract_x/0.json", [SampleRequest("a", {})], make)
    assert outside.read_text() == "mine"
    assert link.read_text() == "made"
    assert link.resolve().is_relative_to(results)


MARK = "document.documentElement.setAttribute('data-ran', 1)"
PAYLOADS = (
    f"<script>{MARK}</script>",
    f'"><img src=x onerror="{MARK}">',
    f'\'><svg onload="{MARK}">',
    f"</style><script>{MARK}</script>",
    f"{{{{ '<script>' }}}}{MARK}</script>",
)


def dom(page: Path, profile: Path) -> str:
    """The page as headless Chromium has it once its scripts have run."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--disable-background-networking", "--virtual-time-budget=2000"]
    command += [f"--user-data-dir={profile}", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_markup_in_names_and_reasons_does_not_run_in_a_browser(tmp_path):
    corpus = Corpus(tmp_path)
    for name in PAYLOADS:
        corpus.add(name, frames=60)
        corpus.add_failed(f"failed {name}", "read_labels", f"row 3 is {name!r}: not two numbers")
    inputs = empty_inputs(
        tmp_path,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", list(PAYLOADS))},
        facts=dict.fromkeys(PAYLOADS, PAYLOADS[0]),
        run=dict.fromkeys(PAYLOADS, PAYLOADS[0]),
        players={name: f"player/{name}.html" for name in PAYLOADS},
    )
    write(tmp_path / "r.html", replace(inputs, title=PAYLOADS[0]))
    pages = [tmp_path / "r.html", *sorted((tmp_path / PLACE).glob("*.html"))]
    assert len(pages) == 3
    for number, page in enumerate(pages):
        html = page.read_text()
        assert MARK in html.replace("&#39;", "'")
        # Without the page's policy, which alone would stop scripts: escaping must be enough.
        bare = page.with_name(f"bare{number}.html")
        bare.write_text(re.sub(r"<meta http-equiv=[^>]*>", "", html))
        assert "default-src" in html
        assert "default-src" not in bare.read_text()
        assert 'data-ran="1"' not in dom(bare, tmp_path / "profile").split(">")[1]
    unsafe = tmp_path / "unsafe.html"
    unsafe.write_text(f"<!doctype html><html><body><p>{PAYLOADS[1]}</body></html>")
    assert re.search(r'<html[^>]* data-ran="1"', dom(unsafe, tmp_path / "profile"))

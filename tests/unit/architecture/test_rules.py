"""Architecture: what the project's files must keep to."""

import ast
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

from circumplex.io.digests import DigestCache
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.code import code_digest, read_pins
from circumplex.pipeline.requests import Identities
from circumplex.pipeline.result_requests import ResultIdentities
from circumplex.config.training import TrainingSpec
from example_requests import ROWS, config_of, write_sheet
from places import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
PINS = read_pins(ROOT / "requirements.lock")
LIBRARY = sorted((SCRIPTS / "circumplex").rglob("*.py"))
THIN = sorted(SCRIPTS.glob("*.py"))
RULE_FILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
RULE = re.compile(r"^(?:rule|checkpoint) (\w+):\n((?:[ \t].*\n|\n)*)", re.MULTILINE)
TARGETS = ("all", "weights", "backbones", "search")  # rules that make nothing themselves
NAMELESS = re.compile(r"^ *rule:$", re.MULTILINE)  # they make nothing either
RULES = {
    name: body
    for path in RULE_FILES
    for name, body in RULE.findall(path.read_text(encoding="utf-8") + "\n")
    if name not in TARGETS
}
PARSED = ["pipeline.checks", "pipeline.requests", "pipeline.repairs", "pipeline.resources"]


def section(body, name):
    """A directive's lines in a rule's body."""
    found = re.search(rf"^    {name}:(.*\n(?: {{8,}}.*\n)*)", body, re.MULTILINE)
    return found.group(1).strip() if found else None


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_parser_sees_the_rules():
    text = "".join(path.read_text(encoding="utf-8") for path in RULE_FILES)
    rules = re.findall(r"^\s*(?:rule|checkpoint)\b.*:", text, re.MULTILINE)
    assert len(RULES) == len(rules) - len(TARGETS) - len(NAMELESS.findall(text))
    assert len(RULES) >= 20


@pytest.mark.parametrize("path", LIBRARY + THIN, ids=lambda p: str(p.relative_to(SCRIPTS)))
def test_python_files_keep_to_the_rules(path):
    names = {name.split(".")[0] for name in imported(path)}
    assert "demo" not in names
    assert "tests" not in names
    assert "__future__" not in names, "a script: file cannot have it"
    source = path.read_text(encoding="utf-8")
    where = 'Path(snakemake.config["results"])'  # which changes no result, so need not be tracked
    allowed = source.replace(where, "") if path.name == "shard.py" else source
    assert "snakemake.config" not in allowed, "only params are tracked"
    dynamic = re.findall(r"import_module|__import__|\bexec\(|(?<![.\w])eval\(", source)
    assert not dynamic, "the code digest follows static imports only"


# Run by people, not by rules.
COMMANDS = {"make_sheet", "check_submission", "clean_store", "estimate", "make_cards", "tune"}


@pytest.mark.parametrize("path", THIN, ids=lambda p: p.name)
def test_every_script_belongs_to_a_rule_and_imports_cleanly(path):
    assert path.stem in RULES.keys() | COMMANDS
    assert 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_one_name_for_script_log_and_benchmark(name):
    body = RULES[name]
    assert section(body, "run") is None
    assert section(body, "shell") is None
    assert section(body, "script").strip('"') == f"../scripts/{name}.py"
    wanted = ["log"] if name == "check_failures" else ["log", "benchmark"]
    for directive in wanted:
        assert re.search(rf'("{name}"|/{name}[./])', section(body, directive)), directive
    for directive in ("threads", "conda", "output"):
        assert section(body, directive), directive
    environment = section(body, "conda").strip('"').removeprefix("../../")
    assert (ROOT / environment).is_file()
    assert "directory(" not in body


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the expressions of `params:` see."""
    folder = tmp_path_factory.mktemp("request")
    config = config_of("demo", "paper/table6", "search")
    config["samples"] = str(write_sheet(folder / "samples.tsv", ROWS))
    config["results"] = str(folder / "results")
    config["features"]["densenet"]["import"] = str(folder)
    made = {"kind": "image_table", "path": str(folder / "samples.tsv")}
    config["backbones"]["still_sets"] = {"drawn": made}
    plan = make_plan(config)
    identities = Identities(plan, SCRIPTS, DigestCache(folder / "digests.json"))
    return {
        "PLAN": plan,
        "IDENTITIES": identities,
        "RESULT_IDENTITIES": ResultIdentities(plan, identities),
        "STAGES": identities.sample_stages(),
        "stage": lambda name: lambda wildcards: identities.stage(name, wildcards.shard),
        "still_set": identities.still_set,
        "wildcards": SimpleNamespace(
            shard=next(iter(plan.shards)),
            run=plan.runs[0].path,
            ensemble=next(iter(plan.ensembles)),
            submission=next(iter(plan.submissions)),
            table=next(iter(plan.tables)),
            feature=plan.features[0].name,
            still_set=next(iter(plan.still_sets)),
            recipe=next(iter(plan.backbones.recipes)),
            round="000",
            trial="000",
        ),
    }


@pytest.mark.parametrize("name", RULES)
def test_a_rule_tracks_the_code_of_its_script_and_nothing_beside(name, names):
    expression = re.fullmatch(r"stage=(.*),", section(RULES[name], "params"), re.DOTALL).group(1)
    tracked = eval(expression, dict(names))  # noqa: S307, our own rule files
    if callable(tracked):
        tracked = tracked(names["wildcards"])
    assert tracked["code"] == code_digest(SCRIPTS / f"{name}.py", PINS)
    assert not {"threads", "gpu", "device", "shards", "results"} & set(tracked.get("options", {}))


TABLES = [f"paper/table{k}" for k in range(1, 7)]
PRESETS = [
    *([], ["demo"], ["demo", "tiny"], ["backbones"], ["search"]),
    *(["paper/published_code"], TABLES, ["demo", *TABLES, "small"]),
]


@pytest.mark.parametrize(
    "presets",
    [*PRESETS, *([table] for table in TABLES), *(["demo", table] for table in TABLES)],
    ids="+".join,
)
def test_shipped_configs_pass(presets, tmp_path):
    config = config_of(*presets)
    config["samples"] = str(write_sheet(tmp_path / "samples.tsv", ROWS))
    plan = make_plan(config)
    assert plan.runs
    assert plan.submissions
    for name in plan.experiments:
        assert TrainingSpec.read(plan.training_values(name)).encoder.hidden > 0


def test_every_preset_is_tested_above():
    shipped = {str(p.relative_to(ROOT / "config")) for p in (ROOT / "config").rglob("*.yaml")}
    tested = {f"{preset}.yaml" for presets in PRESETS for preset in presets}
    assert shipped == tested | {"control.yaml"}


def test_environments_have_the_versions_of_the_lock():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) --hash", lock, re.MULTILINE))
    files = sorted((ROOT / "envs").glob("*.yaml"))
    assert files
    for path in files:
        environment = yaml.safe_load(path.read_text(encoding="utf-8"))
        (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
        assert pip
        for pin in pip:
            name, version = pin.split("==")
            assert locked[name] == version, path
    for path in (ROOT / "envs").glob("*.sh"):
        for name, version in re.findall(r"([\w-]+)==([\w.]+)", path.read_text(encoding="utf-8")):
            assert locked[name] == version, path


def test_parsing_the_workflow_imports_nothing_heavy():
    program = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"numpy", "pyarrow", "torch", "av", "cv2", "pandas", "scipy"}}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
sys.path.insert(0, {str(SCRIPTS)!r})
for name in {PARSED!r}:
    __import__("circumplex." + name)
try:
    import numpy
except ImportError:
    print("blocked")
"""
    command = [sys.executable, "-I", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "blocked\n", result.stderr

"""Architecture: what the project's files must keep to."""

import ast
import re
import subprocess
import sys

import pytest
import yaml

from circumplex.cli import predict
from circumplex.config.training import TrainingSpec
from circumplex.errors import RequestError
from circumplex.pipeline.checks import make_plan
from example_requests import PREDICTED, ROWS, builder_of, config_of, jobs_of, overlay, write_sheet
from places import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
LIBRARY = sorted((SCRIPTS / "circumplex").rglob("*.py"))
THIN = sorted(SCRIPTS.glob("*.py"))
RULE_FILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
RULE = re.compile(r"^(?:rule|checkpoint) (\w+):\n((?:[ \t].*\n|\n)*)", re.MULTILINE)
IN_A_LOOP = re.compile(
    r"^    rule:\n        name:\n            (.+)\n((?: {8}.*\n|\n)*)", re.MULTILINE
)
TARGETS = ("all", "weights", "backbones", "search", "table")  # rules without an output
LOOPED = {"feature.stage": "extract_feature"}  # one rule per feature: one script
PARSED = re.compile(r"^from (circumplex[\w.]*) import", re.MULTILINE)  # by the workflow


def read_rules():
    """Bodies of all rules that make something, by name; those in loops as if they stood alone."""
    rules = {}
    for path in RULE_FILES:
        text = path.read_text(encoding="utf-8") + "\n"
        rules.update(RULE.findall(text))
        for name, body in IN_A_LOOP.findall(text):
            rules[LOOPED.get(name, name)] = re.sub(r"^    ", "", body, flags=re.MULTILINE)
    return {name: body for name, body in rules.items() if name not in TARGETS}


RULES = read_rules()


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
    rules = re.findall(r"^\s*(?:rule|checkpoint)\b.*:$", text, re.MULTILINE)
    assert len(RULES) == len(rules) - len(TARGETS)
    assert len(RULES) >= 20


# What they import is named as a root of the stage's code digest, or holds options alone.
IMPORTS_BY_NAME = {
    "circumplex/annotations/labels.py",
    "circumplex/cli/cards.py",  # the command is in no digest
    "circumplex/cli/tune.py",
    "circumplex/config/encoders/registry.py",
    "circumplex/config/features.py",
    "circumplex/model/network.py",
    "circumplex/pipeline/jobs/extraction.py",
}


def breaches(path):
    """What a Python file breaks of the project's rules."""
    source = path.read_text(encoding="utf-8")
    names = {name.split(".")[0] for name in imported(path)}
    for name in sorted(names & {"demo", "tests", "__future__"}):
        yield f"imports {name}"  # a `script:` file cannot have __future__
    # Where the results lie changes no result, so it need not be tracked.
    if "snakemake.config" in source.replace('Path(snakemake.config["results"])', ""):
        yield "reads snakemake.config, of which only params are tracked"
    dynamic = re.search(r"import_module|__import__|\bexec\(|(?<![.\w])eval\(", source)
    if dynamic and str(path.relative_to(SCRIPTS)) not in IMPORTS_BY_NAME:
        yield "imports or runs by name, while the code digest follows static imports only"
    if path in THIN and 'if __name__ == "__main__":' not in source:
        yield "has no guard, so it cannot be imported"


def test_python_files_keep_to_the_rules():
    offenders = {
        str(path.relative_to(SCRIPTS)): found
        for path in LIBRARY + THIN
        if (found := list(breaches(path)))
    }
    assert offenders == {}


def test_every_script_belongs_to_a_rule():
    assert {path.stem for path in THIN} - RULES.keys() == set()


def rule_breaches(name, body):
    """What a rule breaks: one name for rule, script, log and benchmark, and all its directives."""
    stage = next((stage for stage, looped in LOOPED.items() if looped == name), f'"{name}["/]')
    for directive in ("run", "shell"):
        if section(body, directive) is not None:
            yield f"has {directive}:"
    required = ["script", "threads", "conda", "output", "log", "params", "message"]
    required += [] if name == "check_failures" else ["benchmark"]
    missing = [directive for directive in required if not section(body, directive)]
    yield from (f"lacks {directive}:" for directive in missing)
    if "script" not in missing and section(body, "script").strip('"') != f"../scripts/{name}.py":
        yield "has a script of another name"
    for directive in {"log", "benchmark"} & set(required) - set(missing):
        named = rf'{directive}_of\({stage}|f"{{RESULTS}}/{directive}s?/{name}/'
        if not re.match(named, section(body, directive)):
            yield f"has a {directive} of another name"
    asked = "import_{feature}" if name == "import_features" else name
    if not re.match(rf'job=job\(("{asked}"|{stage})[,)]', section(body, "params") or ""):
        yield "has the request of another stage"
    if "conda" not in missing:
        environment = section(body, "conda").strip('f"').removeprefix("../../")
        if "{" not in environment and not (ROOT / environment).is_file():
            yield f"names {environment}, which does not exist"
    if "directory(" in body:
        yield "has a directory() as output"


def test_a_rule_has_one_name_for_script_log_and_benchmark():
    offenders = {
        name: found for name, body in RULES.items() if (found := list(rule_breaches(name, body)))
    }
    assert offenders == {}


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    """A request of each stage."""
    folder = tmp_path_factory.mktemp("request")
    config = config_of("demo", "paper/table6", "search")
    config["samples"] = str(write_sheet(folder / "samples.tsv", [*ROWS, PREDICTED]))
    config["results"] = str(folder / "results")
    drawn = {"kind": "image_table", "path": str(folder / "samples.tsv")}
    config["backbones"]["still_sets"] = {"drawn": drawn}
    found = {}
    for options in ({"densenet": {"import": str(folder)}}, {}):
        changes = {"features": options, "timeline": {"rate": "native" if options else 25}}
        builder = builder_of(overlay(config, changes), folder)
        found |= {(s, unit): builder.request(s, unit) for s, unit in jobs_of(builder)}
    return found


def test_a_request_has_the_code_of_its_stage_and_nothing_that_changes_no_result(requests):
    assert {stage for stage, _ in requests} >= RULES.keys() - {
        "import_frames",
        "import_features",
        "extract_feature",
    }
    for (stage, _), request in requests.items():
        assert re.fullmatch(r"v\d+-[0-9a-f]{64}", request.code), stage
        options = getattr(request, "options", {})
        assert not {"threads", "gpu", "device", "shards", "results"} & set(options), stage


TABLES = [f"paper/table{k}" for k in range(1, 7)]
PRESETS = [
    *([], ["demo"], ["demo", "tiny"], ["backbones"], ["search"]),
    *(["public_weights"], ["own_corpus"], ["starter_network"]),
    *(["paper/published_code"], TABLES, ["demo", *TABLES, "small"]),
]


READY = ["starter", "mini-xception", "emotiefflib", "msp-dim", "both"]
SETS_OF_PRESETS = [
    *PRESETS,
    *([table] for table in TABLES),
    *(["demo", table] for table in TABLES),
]


def test_shipped_configs_pass(tmp_path):
    samples = str(write_sheet(tmp_path / "samples.tsv", ROWS))
    offenders = {}
    for presets in SETS_OF_PRESETS:
        try:
            plan = make_plan({**config_of(*presets), "samples": samples})
            assert plan.runs
            assert plan.submissions
            for name in plan.experiments:
                assert TrainingSpec.read(plan.training_values(name)).encoder.hidden > 0
        except (RequestError, AssertionError) as error:
            offenders["+".join(presets)] = repr(error)
    assert offenders == {}


@pytest.mark.parametrize("preset", READY)
def test_models_that_are_ready_predict_without_training(tmp_path, preset):
    rows = [{"sample": "mine", "video": "mine.mp4", "split": "predict"}]
    samples = str(write_sheet(tmp_path / "samples.tsv", rows))
    plan = make_plan({**config_of(preset), "samples": samples})
    assert list(plan.ensembles) == [preset]
    assert plan.runs
    assert plan.trained_runs == []
    assert preset in predict.PRESETS


def test_every_preset_is_tested_above():
    shipped = {str(p.relative_to(ROOT / "config")) for p in (ROOT / "config").rglob("*.yaml")}
    tested = {f"{preset}.yaml" for presets in PRESETS for preset in presets}
    assert shipped == tested | {f"{preset}.yaml" for preset in READY} | {"control.yaml"}


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
    text = "".join(path.read_text(encoding="utf-8") for path in RULE_FILES)
    modules = sorted(set(PARSED.findall(text)))
    assert "circumplex.pipeline.checks" in modules
    program = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"numpy", "pyarrow", "torch", "av", "cv2", "pandas", "scipy"}}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
sys.path.insert(0, {str(SCRIPTS)!r})
for name in {modules!r}:
    __import__(name)
try:
    import numpy
except ImportError:
    print("blocked")
"""
    command = [sys.executable, "-I", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "blocked\n", result.stderr

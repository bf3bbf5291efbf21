"""Which edits of the package make which stages stale, each in a copy of the package."""

import ast
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from circumplex.config.features import FEATURES
from circumplex.pipeline import code
from circumplex.pipeline.code import LOGGERS, NUMERIC_PACKAGES, counted_modules
from circumplex.pipeline.stage_context import LIBRARY
from circumplex.pipeline.stages import (
    NAMED_MODULES,
    RESULT_STAGES,
    SAMPLE_STAGES,
    ancestors,
    feature_stage,
)
from example_requests import builder_of, config_of, jobs_of, overlay, request_config

STAGES = {
    **SAMPLE_STAGES,
    **{feature.stage: feature_stage(feature) for feature in FEATURES.values()},
    **RESULT_STAGES,
}
SEARCH = {"search": config_of("search")["search"]}
Edit = Callable[[Path], None]


def builder_with(folder, library=LIBRARY):
    """Builder of the demo's requests, with a search and a set of stills."""
    config = overlay(config_of("demo", "search"), request_config(folder, SEARCH))
    drawn = {"kind": "image_table", "path": config["samples"]}
    config["backbones"]["still_sets"] = {"drawn": drawn}
    return builder_of(config, folder, library=library)


def codes_of(builder):
    """Code digest of every request, by stage and unit."""
    return {job: builder.request(*job).code for job in jobs_of(builder)}


def stale(before, after):
    assert before.keys() == after.keys()
    return {stage for stage, unit in before if before[stage, unit] != after[stage, unit]}


@pytest.fixture
def edited(tmp_path):
    """Stages that an edit makes stale, and the builder after it."""
    before = codes_of(builder_with(tmp_path))

    def apply(edit: Edit):
        library = tmp_path / f"copy{len(list(tmp_path.glob('copy*')))}" / "circumplex"
        shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("__pycache__"))
        edit(library)
        builder = builder_with(tmp_path, library)
        return stale(before, codes_of(builder)), builder

    return apply


def add_function(*modules: str) -> Edit:
    def edit(library):
        for module in modules:
            path = library / module
            path.write_text(path.read_text() + "\n\ndef unused() -> int:\n    return 1\n")

    return edit


def test_stages_cover_few_modules():
    counts = {name: len(counted_modules(s.modules, LIBRARY)) for name, s in STAGES.items()}
    assert counts["extract_frames"] <= 5, counts  # a fifth reads folders of images
    assert counts["extract_egemaps"] <= 10, counts
    assert counts["extract_densenet"] <= 12, counts
    # They gather what others computed.
    gathering = {"make_manifest", "list_failures", "check_failures", "export_ensemble"}
    assert {name for name, count in counts.items() if count == 0} == gathering


PLUMBING = [
    *("errors.py", "config/samples.py", "config/features.py", "config/encoders.py"),
    *("pipeline/jobs/logs.py", "pipeline/jobs/gpus.py", "pipeline/store.py"),
    *(
        "pipeline/request_builder.py",
        "pipeline/stage_context.py",
        "pipeline/builders/outputs.py",
        "cli/main.py",
        "io/atomic.py",
        "io/digests.py",
    ),
    "io/markdown.py",
]


def test_an_edit_of_plumbing_makes_nothing_stale(edited):
    existing = [path for path in PLUMBING if (LIBRARY / path).exists()]
    assert len(existing) >= len(PLUMBING) - 1
    assert edited(add_function(*existing))[0] == set()


class OtherWords(ast.NodeTransformer):
    """Changes every docstring, log message and error message."""

    def visit_Expr(self, node):
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            value.value += " In other words."
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            owner = value.func.value
            if isinstance(owner, ast.Name) and owner.id in LOGGERS:
                value.args = [ast.Constant("another message")]
        return node

    def visit_Raise(self, node):
        if isinstance(node.exc, ast.Call):
            node.exc.args = [ast.Constant("another message")]
        return node


def test_other_words_in_all_modules_make_nothing_stale(edited):
    changed = []

    def edit(library):
        for path in library.rglob("*.py"):
            before = ast.dump(ast.parse(path.read_text()))
            path.write_text(ast.unparse(OtherWords().visit(ast.parse(path.read_text()))))
            if ast.dump(ast.parse(path.read_text())) != before:
                changed.append(path)

    assert edited(edit)[0] == set()
    assert len(changed) > 100


@pytest.mark.parametrize("package", ["tqdm", "jinja2", "safetensors", "tensorboard"])
def test_a_package_that_counts_makes_stale_what_imports_it(package, tmp_path, monkeypatch):
    before = codes_of(builder_with(tmp_path))
    packages = {**NUMERIC_PACKAGES, package: package}
    monkeypatch.setattr(code, "NUMERIC_PACKAGES", packages)
    found = stale(before, codes_of(builder_with(tmp_path)))
    statement = re.compile(rf"^\s*(from|import) {package}\b", re.MULTILINE)

    def imports(name):
        modules = list(STAGES[name].modules)
        if name in NAMED_MODULES:
            folder = LIBRARY.joinpath(*NAMED_MODULES[name].split("."))
            chosen = {"list_stills": ["image_table"], "read_labels": ["affwild2"]}
            kinds = chosen.get(name, ["lstm", "transformer"])
            modules += [f"{NAMED_MODULES[name]}.{kind}" for kind in kinds]
            assert folder.is_dir()
        files = [LIBRARY.joinpath(*m.split(".")) for m in counted_modules(modules, LIBRARY)]
        return any(statement.search(file.with_suffix(".py").read_text()) for file in files)

    assert found == {name for name, _ in before if imports(name)}


def test_a_new_file_of_an_encoder_or_an_extractor_makes_nothing_stale(edited):
    def edit(library):
        for folder, like in (("model/encoders", "gru"), ("features/extractors", "egemaps")):
            shutil.copy(library / folder / f"{like}.py", library / folder / "mine.py")

    assert edited(edit)[0] == set()


def test_an_extractor_makes_itself_stale_alone(edited):
    assert edited(add_function("features/extractors/vggish.py"))[0] == {"extract_vggish"}


def test_a_function_in_a_module_of_one_stage_makes_it_stale_and_no_export_other(edited):
    found, builder = edited(add_function("faces/appearance.py"))
    assert found == {"align_faces"}
    unchanged = edited(lambda _: None)[1]
    assert builder.features == unchanged.features
    before, after = (b.request("export_ensemble", "main") for b in (unchanged, builder))
    assert after == before


def test_a_raised_version_makes_its_stage_stale_alone(tmp_path, monkeypatch):
    before = codes_of(builder_with(tmp_path))
    for stages, name in ((SAMPLE_STAGES, "align_faces"), (RESULT_STAGES, "evaluate")):
        with monkeypatch.context() as patched:
            patched.setitem(stages, name, replace(stages[name], version=2))
            after = builder_with(tmp_path)
            assert stale(before, codes_of(after)) == {name}
            described = after.features["densenet"]["align_faces"]["version"]
            assert described == (2 if name == "align_faces" else 1)

    def raised(feature):
        stage = feature_stage(feature)
        return replace(stage, version=2) if feature.name == "egemaps" else stage

    monkeypatch.setattr("circumplex.pipeline.stages.feature_stage", raised)
    assert stale(before, codes_of(builder_with(tmp_path))) == {"extract_egemaps"}


def test_what_a_stage_follows_comes_before_it():
    known = {**SAMPLE_STAGES, **STAGES}
    assert ancestors(known, "extract_vggish") == [
        *("extract_frames", "extract_audio", "extract_vggish")
    ]
    assert ancestors(known, "extract_frames") == ["extract_frames"]
    for name, stage in STAGES.items():
        assert name == stage.name
        assert set(stage.follows) <= known.keys()
        assert name not in set(stage.follows)

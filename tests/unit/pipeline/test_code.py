"""Digests of code: what counts, what is only words, and which modules a stage covers."""

import hashlib
import json
import re
import shutil
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from circumplex.config.features import FEATURES
from circumplex.pipeline.code import (
    COUNTED,
    NUMERIC_PACKAGES,
    PLUMBING,
    code_digest,
    counted_modules,
    read_pins,
    restore_parsed,
    save_parsed,
)
from circumplex.pipeline.stage_context import LIBRARY
from circumplex.pipeline.stages import RESULT_STAGES, SAMPLE_STAGES, feature_stage
from places import ROOT

MAIN = '''import logging

from circumplex.deep import inner

logger = logging.getLogger(__name__)


def main(x):
    """Work."""
    if x < 0:
        raise ValueError(f"{x} is below 0")
    logger.info("working on %s", x)
    return inner.work(2)
'''
INNER = '''"""Inner."""

from circumplex import twice


def work(x):
    """Double."""
    return twice.twice(x)
'''
TWICE = "def twice(x):\n    return 2 * x\n"


def write_library(folder, main=MAIN, inner=INNER, twice=TWICE):
    """A package of four modules, one of which nothing imports."""
    files = {"main.py": main, "deep/__init__.py": "", "deep/inner.py": inner, "twice.py": twice}
    for name, text in {**files, "other.py": "x = 1\n"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def digest_of(folder, **modules):
    return code_digest(["main"], write_library(folder, **modules))


@pytest.fixture
def base(tmp_path):
    return digest_of(tmp_path / "base")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"main": "# A comment.\n" + MAIN},
        {"main": '"""A docstring."""\n' + MAIN},
        {"main": MAIN.replace("return inner.work(2)", "return (\n        inner.work( 2 )\n    )")},
        {"main": MAIN.replace("is below 0", "is negative")},
        {"main": MAIN.replace('(f"{x} is below 0")', '("negative", x)')},
        {"main": MAIN.replace('"working on %s", x', '"at work"')},
        {"main": MAIN.replace('    logger.info("working on %s", x)\n', "")},
        {"main": MAIN.replace("logger.info", "logger.warning")},
        {"inner": INNER.replace("Double", "Twice")},
        {"inner": INNER.replace('    """Double."""\n', "")},
        {"twice": "\n\n" + TWICE.replace("2 * x", "0x2 * x")},
    ],
)
def test_what_changes_nothing(change, tmp_path, base):
    assert digest_of(tmp_path / "changed", **change) == base


@pytest.mark.parametrize(
    "change",
    [
        {"main": MAIN.replace("(2)", "(3)")},
        {"main": MAIN.replace("(2)", "(2.0)")},
        {"main": MAIN.replace("(2)", "(True)")},
        {"main": MAIN.replace("return", "yield")},
        {"main": MAIN.replace("x < 0", "x < 1")},
        {"main": MAIN.replace("raise ValueError", "raise KeyError")},
        {"main": MAIN.replace("logger.info", "inner.work")},
        {"inner": INNER.replace("twice(x)", "twice(-x)")},
        {"twice": TWICE.replace("2 * x", "x * 2")},
        {"twice": TWICE + "\n\ndef unused(): ...\n"},
    ],
)
def test_code_anywhere_below_counts(change, tmp_path, base):
    assert digest_of(tmp_path / "changed", **change) != base


def test_a_module_that_nothing_imports_does_not_count(tmp_path, base):
    library = write_library(tmp_path / "changed")
    (library / "other.py").write_text("x = 2\n")
    assert code_digest(["main"], library) == base


@pytest.mark.parametrize(
    "statement",
    [
        "import circumplex.other",
        "from circumplex import other",
        "from circumplex.other import x",
        "import os, circumplex.other as o",
    ],
)
def test_imports_inside_functions_count(statement, tmp_path):
    main = f"def main():\n    if True:\n        {statement}\n"
    first = write_library(tmp_path / "a", main=main)
    second = write_library(tmp_path / "b", main=main)
    (second / "other.py").write_text("x = 2\n")
    assert code_digest(["main"], first) != code_digest(["main"], second)
    assert counted_modules(["main"], first) == ["main", "other"]


def test_plumbing_is_not_entered(tmp_path):
    imports = "".join(f"import circumplex.{name}\n" for name in PLUMBING)
    library = write_library(tmp_path, main=imports + "import circumplex.config.deeper\n")
    for name in [*PLUMBING, "config.deeper"]:
        path = library.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import circumplex.other\n")
    assert counted_modules(["main"], library) == ["main"]


def test_versions_of_the_packages_in_use_count(tmp_path):
    library = write_library(tmp_path, twice="import numpy.linalg, tqdm\n" + TWICE)
    pins = {"numpy": "2.4.6", "torch": "2.14.1", "tqdm": "4.70"}
    base = code_digest(["main"], library, pins)
    assert code_digest(["main"], library, pins | {"numpy": "2.4.7"}) != base
    for unused in ({"torch": "2.15"}, {"tqdm": "5"}):
        assert code_digest(["main"], library, pins | unused) == base


def test_every_package_that_counts_is_pinned():
    pins = read_pins(ROOT / "requirements.lock")
    assert set(NUMERIC_PACKAGES.values()) <= pins.keys()
    assert re.fullmatch(r"\d+\.\d+\.\d+", pins["torch"])


def test_circular_imports_end_and_faults_are_refused(tmp_path):
    digest_of(tmp_path / "a", twice="from circumplex.deep import inner\n" + TWICE)
    with pytest.raises(ValueError, match=r"twice\.py: relative import"):
        digest_of(tmp_path / "b", twice="from . import inner\n")
    with pytest.raises(ValueError, match="has no module nowhere"):
        code_digest(["nowhere"], tmp_path / "a")


def test_where_the_checkout_lies_does_not_count(tmp_path, base, monkeypatch):
    shutil.copytree(tmp_path / "base", tmp_path / "elsewhere" / "deeper")
    assert code_digest(["main"], tmp_path / "elsewhere" / "deeper") == base
    (tmp_path / "link").symlink_to(tmp_path / "base")
    assert code_digest(["main"], tmp_path / "link") == base
    monkeypatch.chdir(tmp_path)
    assert code_digest(["main"], Path("base")) == base


# The stages of the workflow

STAGES = {
    **SAMPLE_STAGES,
    **{feature.stage: feature_stage(feature) for feature in FEATURES.values()},
    **RESULT_STAGES,
}


def imported_modules(roots):
    """What modules import of the package, plumbing left out, by the standard library's finder."""
    finder = ModuleFinder(path=[str(LIBRARY.parent)])
    waiting, found = list(roots), set()
    excluded = tuple(f"circumplex.{name}" for name in PLUMBING)
    finder.excludes = [
        name
        for name in all_modules()
        if any(name == plumbing or name.startswith(f"{plumbing}.") for plumbing in excluded)
    ] + [f"circumplex.{name}" for name in PLUMBING]
    for name in waiting:
        finder.import_hook(f"circumplex.{name}")
    for name, module in finder.modules.items():
        file = module.__file__
        if file and name.startswith("circumplex.") and not file.endswith("__init__.py"):
            found.add(name.removeprefix("circumplex."))
    # Its package is left out above; one module imports it, for the sizes of its network.
    return sorted(found | COUNTED if "networks.densenet" in found else found)


def all_modules():
    for path in LIBRARY.rglob("*.py"):
        parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__")


def test_a_stage_covers_the_modules_that_its_numbers_import():
    expected = {name: imported_modules(stage.modules) for name, stage in STAGES.items()}
    found = {name: counted_modules(stage.modules, LIBRARY) for name, stage in STAGES.items()}
    assert {n: (found[n], expected[n]) for n in STAGES if found[n] != expected[n]} == {}


@pytest.mark.parametrize("text", ["", "[]", "{", "3", '{"a": 1}', '{"a": [1, 2]}', "[" * 100_000])
def test_a_damaged_cache_of_the_code_is_written_anew(tmp_path, text):
    library = write_library(tmp_path)
    expected = code_digest(["main"], library)
    cache = tmp_path / ".code.json"
    cache.write_text(text)
    restore_parsed(cache)
    assert code_digest(["main"], library) == expected
    save_parsed(cache)
    whole = cache.read_text()
    assert whole != text
    save_parsed(cache)
    assert cache.read_text() == whole


def test_a_wrong_digest_in_the_cache_is_not_taken_over(tmp_path):
    content = f"def f(): return {tmp_path.name!r}\n"
    library = write_library(tmp_path, twice=content)
    key = hashlib.sha256(content.encode()).hexdigest()
    cache = tmp_path / ".code.json"
    cache.write_text(json.dumps({key: [[], "x"]}))
    restore_parsed(cache)
    save_parsed(cache)
    assert key not in json.loads(cache.read_text())
    assert code_digest(["twice"], library)

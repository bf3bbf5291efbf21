import os
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.io import digests
from circumplex.io.digests import MISSING, DigestCache, file_digest, value_digest
from circumplex.pipeline.code import NUMERIC_PACKAGES, code_digest, read_pins
from places import ROOT

MAIN = "from pack.inner import work\n\n\ndef main():\n    return work(2)\n"
INNER = '''"""Inner."""

from pack import deep


def work(x):
    """Double."""
    return deep.twice(x)
'''
DEEP = "def twice(x):\n    return 2 * x\n"


def write_tree(folder, main=MAIN, inner=INNER, deep=DEEP, init=""):
    files = {"main.py": main, "pack/__init__.py": init, "pack/inner.py": inner}
    for name, text in {**files, "pack/deep.py": deep, "pack/other.py": "x = 1\n"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "main.py"


@pytest.fixture
def base(tmp_path):
    return code_digest(write_tree(tmp_path / "base"))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"main": "# A comment.\n" + MAIN},
        {"main": '"""A docstring."""\n' + MAIN},
        {"main": MAIN.replace("return work(2)", "return (\n        work( 2 )\n    )  # why")},
        {"inner": INNER.replace("Double", "Twice")},
        {"inner": INNER.replace('    """Double."""\n', "")},
        {"deep": "\n\n" + DEEP.replace("2 * x", "0x2 * x")},
    ],
)
def test_what_changes_nothing(change, tmp_path, base):
    assert code_digest(write_tree(tmp_path / "changed", **change)) == base


@pytest.mark.parametrize(
    "change",
    [
        {"main": MAIN.replace("2", "3")},
        {"main": MAIN.replace("2", "2.0")},
        {"main": MAIN.replace("2", "True")},
        {"main": MAIN.replace("return", "yield")},
        {"inner": INNER.replace("twice(x)", "twice(-x)")},
        {"inner": INNER.replace("return", '"not a docstring, though idle"\n    return')},
        {"deep": DEEP.replace("2 * x", "x * 2")},
        {"init": "y = 1\n"},
    ],
)
def test_code_anywhere_below_counts(change, tmp_path, base):
    assert code_digest(write_tree(tmp_path / "changed", **change)) != base


def test_a_module_that_nothing_imports_does_not_count(tmp_path, base):
    script = write_tree(tmp_path / "changed")
    (script.parent / "pack" / "other.py").write_text("x = 2\n")
    assert code_digest(script) == base


@pytest.mark.parametrize(
    "statement",
    [
        "import pack.other",
        "from pack import other",
        "from pack.other import x",
        "import os, pack.other as o",
    ],
)
def test_imports_inside_functions_count(statement, tmp_path):
    main = f"def main():\n    if True:\n        {statement}\n"
    first = code_digest(write_tree(tmp_path / "a", main=main))
    script = write_tree(tmp_path / "b", main=main)
    (script.parent / "pack" / "other.py").write_text("x = 2\n")
    assert code_digest(script) != first


def test_versions_of_the_packages_in_use_count(tmp_path):
    script = write_tree(tmp_path, deep="import numpy.linalg, tqdm\n" + DEEP)
    pins = {"numpy": "2.4.6", "torch": "2.14.1", "tqdm": "4.70"}
    base = code_digest(script, pins)
    assert code_digest(script, pins | {"numpy": "2.4.7"}) != base
    for unused in ({"torch": "2.15"}, {"tqdm": "5"}):
        assert code_digest(script, pins | unused) == base


def test_every_package_that_counts_is_pinned():
    pins = read_pins(ROOT / "requirements.lock")
    assert set(NUMERIC_PACKAGES.values()) <= pins.keys()
    assert re.fullmatch(r"\d+\.\d+\.\d+", pins["torch"])


def test_circular_imports_end_and_relative_ones_are_refused(tmp_path):
    code_digest(write_tree(tmp_path / "a", deep="from pack import inner\n" + DEEP))
    with pytest.raises(ValueError, match="relative"):
        code_digest(write_tree(tmp_path / "b", deep="from . import inner\n"))


def test_where_the_checkout_lies_does_not_count(tmp_path, base, monkeypatch):
    shutil.copytree(tmp_path / "base", tmp_path / "elsewhere" / "deeper")
    assert code_digest(tmp_path / "elsewhere" / "deeper" / "main.py") == base
    (tmp_path / "link").symlink_to(tmp_path / "base")
    assert code_digest(tmp_path / "link" / "main.py") == base
    monkeypatch.chdir(tmp_path / "base")
    assert code_digest(type(tmp_path)("main.py")) == base


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.lists(st.floats())))
def test_value_digest_ignores_the_order_of_keys(value):
    assert value_digest(dict(reversed(value.items()))) == value_digest(value)
    assert value_digest({**value, "more": 1, "and": 2}) != value_digest({**value, "more": 12})


def test_file_digest_over_blocks(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 9)
    whole = file_digest(path)
    monkeypatch.setattr(digests, "_BLOCK", 7)
    assert file_digest(path) == whole
    path.write_bytes(b"")
    assert file_digest(path) == ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that were read."""
    seen = []

    def spy(path):
        seen.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(digests, "file_digest", spy)
    return seen


def test_an_unchanged_file_is_read_once_over_runs(tmp_path, hashed):
    (tmp_path / "video").write_bytes(b"one")
    for _ in range(3):
        cache = DigestCache(tmp_path / "cache.json")
        first = cache.digest(tmp_path / "video")
        cache.save()
    assert first.startswith("sha256:")
    assert hashed == ["video"]


def test_a_touched_file_is_read_again_and_digests_the_same(tmp_path, hashed):
    path = tmp_path / "video"
    path.write_bytes(b"one")
    cache = DigestCache(tmp_path / "cache.json")
    first = cache.digest(path)
    os.utime(path, ns=(1, 1))
    assert cache.digest(path) == first
    assert hashed == ["video", "video"]


def test_a_file_replaced_by_an_older_one_of_the_same_size_is_seen(tmp_path):
    path, older = tmp_path / "video", tmp_path / "older"
    older.write_bytes(b"two")
    os.utime(older, ns=(10**9, 10**9))
    path.write_bytes(b"one")
    cache = DigestCache(tmp_path / "cache.json")
    first = cache.digest(path)
    older.replace(path)
    assert cache.digest(path) != first
    same_date = tmp_path / "same_date"
    same_date.write_bytes(b"six")
    os.utime(same_date, ns=(10**9, 10**9))
    second = cache.digest(path)
    same_date.replace(path)
    assert cache.digest(path) != second, "size and mtime equal: the inode tells"


def test_missing_and_back_again(tmp_path):
    path = tmp_path / "video"
    cache = DigestCache(tmp_path / "cache.json")
    assert cache.digest(path) == MISSING
    path.symlink_to(tmp_path / "nowhere")
    assert cache.digest(path) == MISSING
    (tmp_path / "nowhere").write_bytes(b"one")
    present = cache.digest(path)
    assert present != MISSING
    path.unlink()
    assert cache.digest(path) == MISSING


def test_a_file_that_may_not_be_read_is_the_samples_trouble_not_the_runs(tmp_path, monkeypatch):
    def refuse(_path):
        raise PermissionError

    monkeypatch.setattr(digests, "file_digest", refuse)
    (tmp_path / "video").write_bytes(b"one")
    cache = DigestCache(tmp_path / "cache.json")
    assert cache.digest(tmp_path / "video") == MISSING
    monkeypatch.undo()
    assert cache.digest(tmp_path / "video") == DigestCache(tmp_path / "c").digest(
        tmp_path / "video"
    )


def test_a_folder_digests_names_and_contents(tmp_path):
    def folder(name, **files):
        for file, text in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return DigestCache(tmp_path / "cache.json").digest(tmp_path / name)

    first = folder("a", x="1", y="2")
    assert folder("b", y="2", x="1") == first
    different = {
        folder("c", x="2", y="1"),
        folder("d", x="1"),
        folder("e", x="1", z="2"),
        folder("f", x="1", y="2", z=""),
        folder("g", **{"x": "1", "sub/y": "2"}),
        first,
    }
    assert len(different) == 6
    (tmp_path / "empty").mkdir()
    assert DigestCache(tmp_path / "cache.json").digest(tmp_path / "empty") not in {
        MISSING,
        *different,
    }

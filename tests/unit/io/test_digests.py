import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.io import digests
from circumplex.io.digests import MISSING, DigestCache, file_digest, fingerprint, value_digest


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
    assert cache.digest(path) != second, "size and mtime equal: the inode differs"


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


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "3", '"x"', "[" * 100_000, "\udcff"),
        *('{"%s": 3}', '{"%s": []}', '{"%s": {}}', '{"%s": [null]}'),
        *('{"%s": [FINGERPRINT, null]}', '{"%s": [FINGERPRINT, 5]}', '{"%s": [FINGERPRINT, "x"]}'),
    ],
)
def test_a_damaged_cache_counts_as_empty(tmp_path, text):
    video = tmp_path / "video"
    video.write_bytes(b"one")
    expected = DigestCache(tmp_path / "whole.json").digest(video)
    damaged = tmp_path / "damaged.json"
    now = ", ".join(map(str, fingerprint(video)))
    text = text.replace("%s", str(video)).replace("FINGERPRINT", now)
    damaged.write_bytes(text.encode("utf-8", "surrogateescape"))
    cache = DigestCache(damaged)
    assert cache.digest(video) == expected
    cache.save()
    assert DigestCache(damaged).digest(video) == expected

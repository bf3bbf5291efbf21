import os

import pytest

from circumplex.cli.cache_folder import check_cache_folder
from circumplex.errors import RequestError


@pytest.fixture(autouse=True)
def _no_other_place(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_a_home_that_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    check_cache_folder()
    monkeypatch.setenv("HOME", str(tmp_path / "new"))
    check_cache_folder()


def test_a_home_that_cannot(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for any user but root
    with pytest.raises(RequestError, match=r"in .*gone/\.cache, which cannot be written: set HOME"):
        check_cache_folder()


def test_a_home_below_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file/home"))
    with pytest.raises(RequestError, match="which cannot be written"):
        check_cache_folder()


def test_another_place_for_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null/x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    check_cache_folder()

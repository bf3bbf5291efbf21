import errno
import os
from pathlib import Path

import pytest

from circumplex.io.digests import file_digest
from circumplex.io.kept_folder import LIST, KeptFolder


def test_files_are_written_once_and_others_removed(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    with KeptFolder(place) as folder:
        folder.write("a/b.txt", "1")
        folder.write("c.txt", "é")
    assert folder.digests == {
        "a/b.txt": file_digest(place / "a/b.txt"),
        "c.txt": file_digest(place / "c.txt"),
    }
    before = (place / "c.txt").stat()
    with KeptFolder(place) as folder:
        folder.write("c.txt", "é")
    assert sorted(path.name for path in place.rglob("*")) == [LIST, "c.txt"]
    assert (place / "c.txt").stat() == before


def test_files_of_other_people_stay(tmp_path: Path) -> None:
    with KeptFolder(tmp_path) as folder:
        folder.write("a/b.txt", "1")
    (tmp_path / "a/mine.txt").write_text("mine")
    (tmp_path / "mine.xlsx").write_text("mine")
    (tmp_path / ".partial-0123-c.txt").write_text("of a job that was killed")
    with KeptFolder(tmp_path):
        pass
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert names == [LIST, "a", "a/mine.txt", "mine.xlsx"]


@pytest.mark.parametrize("text", ["", "{", "5", "[1, null]", '["../outside.txt", "/etc/x"]'])
def test_a_damaged_list_removes_nothing(text: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    place = tmp_path / "folder"
    place.mkdir()
    (place / LIST).write_text(text)
    with KeptFolder(place) as folder:
        folder.write("a.txt", "1")
    assert outside.read_text() == "mine"
    assert (place / "a.txt").is_file()


def test_a_block_that_fails_removes_nothing(tmp_path: Path) -> None:
    with KeptFolder(tmp_path) as folder:
        folder.write("a.txt", "1")
    with pytest.raises(ZeroDivisionError), KeptFolder(tmp_path) as folder:
        folder.write("b.txt", str(1 / 0))
    assert (tmp_path / "a.txt").read_text() == "1"


def test_a_planted_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    place = tmp_path / "folder"
    place.mkdir()
    (place / "a.txt").symlink_to(outside)
    with KeptFolder(place) as folder:
        folder.write("a.txt", "mine")
    assert not (place / "a.txt").is_symlink()
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("linked", [True, False])
def test_a_large_file_is_placed_without_another_copy_where_that_can_be(
    linked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    if not linked:
        monkeypatch.setattr(os, "link", refuse)
    source, place = tmp_path / "large.mp4", tmp_path / "folder"
    source.write_bytes(b"12345")
    for _ in range(2):
        with KeptFolder(place) as folder:
            folder.place("videos/a.mp4", source)
        assert folder.sizes == {"videos/a.mp4": 5}
    placed = place / "videos/a.mp4"
    assert placed.samefile(source) == linked
    stamp = placed.stat().st_ctime_ns
    replaced = tmp_path / "new.mp4"
    replaced.write_bytes(b"123456")
    replaced.replace(source)
    with KeptFolder(place) as folder:
        folder.place("videos/a.mp4", source)
    assert placed.read_bytes() == b"123456"
    assert stamp != placed.stat().st_ctime_ns
    assert [path.name for path in (place / "videos").iterdir()] == ["a.mp4"]

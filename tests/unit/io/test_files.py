"""What a path leads to."""

from circumplex.io.files import is_folder


def test_only_what_can_be_followed_to_a_folder_is_one(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    assert is_folder(tmp_path)
    assert is_folder(tmp_path / "link")
    for name in ("loop", "file", "nothing", "x" * 300, "a\0b"):
        assert not is_folder(tmp_path / name), name

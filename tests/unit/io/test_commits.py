import subprocess

import pytest

from circumplex.io.commits import read_commit


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "first")
    return folder


def test_a_branch_a_packed_branch_and_a_bare_commit_are_read(repository):
    commit = git(repository, "rev-parse", "HEAD")
    assert read_commit(repository) == commit
    git(repository, "pack-refs", "--all")
    assert read_commit(repository) == commit
    git(repository, "checkout", "--quiet", "--detach")
    assert read_commit(repository) == commit


def test_a_linked_working_tree_has_a_commit_of_its_own(repository, tmp_path):
    git(repository, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    git(tmp_path / "side", "commit", "--quiet", "--allow-empty", "--message", "second")
    assert read_commit(tmp_path / "side") == git(tmp_path / "side", "rev-parse", "HEAD")
    assert read_commit(tmp_path / "side") != read_commit(repository)


def test_without_a_repository_there_is_no_commit(tmp_path):
    assert read_commit(tmp_path) == ""
    (tmp_path / ".git").write_bytes(b"\xff\xfe")
    assert read_commit(tmp_path) == ""
    (tmp_path / ".git").unlink()
    git(tmp_path, "init", "--quiet")
    assert read_commit(tmp_path) == ""

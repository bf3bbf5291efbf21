"""Which commit a checkout is at, read from git's files: no program is started.

Standard library only.
"""

from pathlib import Path

REFERENCE = "ref: "


def read_commit(checkout: Path) -> str:
    """Identifier of the commit that is checked out; empty without a git repository.

    Edits that are not committed do not show.
    """
    try:
        folder = _git_folder(checkout / ".git")
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith(REFERENCE):
            return head
        return _read_reference(folder, head.removeprefix(REFERENCE))
    except (OSError, UnicodeDecodeError):
        return ""


def _git_folder(place: Path) -> Path:
    """Git's folder; of a linked working tree, ``.git`` is a file that names it."""
    if place.is_dir():
        return place
    named = place.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
    return place.parent / named


def _read_reference(folder: Path, name: str) -> str:
    """Commit of a branch: its own file, or a line of the packed ones."""
    shared = folder / "commondir"
    common = folder / shared.read_text(encoding="utf-8").strip() if shared.is_file() else folder
    for place in (folder, common):
        if (place / name).is_file():
            return (place / name).read_text(encoding="utf-8").strip()
    for line in (common / "packed-refs").read_text(encoding="utf-8").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return commit
    return ""

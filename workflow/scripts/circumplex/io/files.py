"""What a path that a user names leads to.

Imported while the workflow is parsed: standard library only.
"""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

KINDS: Mapping[int, str] = {
    stat.S_IFDIR: "is a folder, not a file",
    stat.S_IFIFO: "is a pipe, not a file",
    stat.S_IFSOCK: "is a socket, not a file",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
}
CAUSES: Mapping[int, str] = {
    errno.ENOENT: "is missing",
    errno.ENOTDIR: "is missing",
    errno.ELOOP: "is a link that leads back to itself",
    errno.ENAMETOOLONG: "has a longer name than the file system allows",
    errno.EACCES: "lies in a folder that may not be entered: correct the folder's permissions",
}


def why_no_file(path: Path) -> str | None:
    """Why a path is no regular file that may be read, as the end of a sentence about it.

    Nothing is opened, so that a pipe or a device cannot keep the caller waiting.

    Returns:
        None if it is such a file.
    """
    problem, mode = _find_mode(path)
    if problem is not None:
        return problem
    kind = stat.S_IFMT(mode)
    if kind != stat.S_IFREG:
        return KINDS.get(kind, "is not a file")
    return None if os.access(path, os.R_OK) else "may not be read: correct its permissions"


def why_no_folder(path: Path) -> str | None:
    """Why a path is no folder that may be read, as the end of a sentence about it, or None."""
    problem, mode = _find_mode(path)
    if problem is not None:
        return problem
    if not stat.S_ISDIR(mode):
        return "is no folder"
    if not os.access(path, os.R_OK | os.X_OK):
        return "may not be read: correct its permissions"
    return None


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; not if it cannot be followed, as one that is too long."""
    problem, mode = _find_mode(path)
    return problem is None and stat.S_ISDIR(mode)


def _find_mode(path: Path) -> tuple[str | None, int]:
    """Why a path leads nowhere, or None and the mode of what it leads to."""
    try:
        return None, path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ENOENT and path.is_symlink():
            return "is a link to nothing", 0
        return CAUSES.get(error.errno or 0, f"cannot be read: {error.strerror}"), 0
    except ValueError:
        return "has a name that no file can have", 0

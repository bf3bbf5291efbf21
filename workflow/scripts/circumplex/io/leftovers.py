"""Temporary files and folders that a killed job has left beside the results it was writing.

Standard library only.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"\.(partial|former)-.+|\..+\.[0-9a-f]{8}\.partial", re.DOTALL)
"""Names by which `circumplex.io.atomic`, tables and submissions write before they rename."""


def remove_leftovers(folder: Path) -> int:
    """Remove them below a folder that no job is writing into; returns the bytes set free."""
    freed = 0
    for path in list(find_leftovers(folder)):
        if path.is_dir() and not path.is_symlink():
            freed += sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir())
            shutil.rmtree(path)
        else:
            freed += path.lstat().st_size
            path.unlink()
    return freed


def find_leftovers(folder: Path) -> Iterator[Path]:
    """Yield them; what lies below one of them is not named too."""
    for path in sorted(folder.iterdir()):
        if _NAME.fullmatch(path.name):
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from find_leftovers(path)

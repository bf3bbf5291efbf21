"""Write files atomically: a killed job leaves no half-written file under its final name."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The temporary name keeps the suffix, by which media libraries choose the format. It is unique
    to this call, since jobs on two nodes may write the same file at the same time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, atomically; equal values give equal bytes."""
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_yaml(path: Path) -> Any:
    """Read a YAML file with libyaml, which is fast: each start of the workflow reads several."""
    import yaml  # only few jobs need it

    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def link(path: Path, target: Path) -> None:
    """Make ``path`` a relative symbolic link to ``target``, replacing an existing file or link.

    File systems that have no symbolic links (exFAT, some shares) get a hard link, or a copy with
    the date of ``target``.
    """
    with replacing(path) as temporary:
        try:
            temporary.symlink_to(os.path.relpath(target, path.parent))
        except OSError:
            with suppress(OSError):
                os.link(target, temporary)
            if not temporary.exists():
                shutil.copy2(target, temporary)


def is_link(path: Path, target: Path) -> bool:
    """Whether ``path`` is what `link` makes of ``target``.

    A copy is known by size and date, so that nothing is read.
    """
    if path.is_symlink():
        return path.resolve() == target.resolve()
    try:
        one, other = path.stat(), target.stat()
    except OSError:
        return False
    return os.path.samestat(one, other) or (
        (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    )

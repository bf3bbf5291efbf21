"""SHA-256 digests of values and of file contents."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from circumplex.io.atomic import read_json, write_json
from circumplex.io.files import why_no_file, why_no_folder

MISSING = "missing"
_BLOCK = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def value_digest(value: Any) -> str:
    """SHA-256 of a JSON-serialisable value; the order of dictionary keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def fingerprint(path: Path) -> list[int]:
    """Size in bytes, mtime in nanoseconds and inode, which change when a file is written."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


class DigestCache:
    """Content digests of large inputs, recomputed only when path, size, mtime or inode change.

    The cache is not part of the DAG: touching a file costs one hash and reruns nothing. A file
    that was replaced by an older one of the same name is noticed.

    Args:
        path: JSON file that stores the cache between runs; a damaged one counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read_cache(path)
        self._changed = False

    def digest(self, path: Path) -> str:
        """Digest of a file, or of a folder over the names and digests of the files in it.

        Returns:
            ``sha256:<hex>``, or ``missing`` if nothing readable is there; the job that reads it
            reports the sample.
        """
        try:
            return self._digest(path)
        except OSError:
            return MISSING

    def _digest(self, path: Path) -> str:
        is_folder = why_no_folder(path) is None
        if is_folder:
            members = sorted(p for p in path.rglob("*") if p.is_file())
            # One entry per folder: a data set of crops has millions of files.
            now: list[Any] = [value_digest([[str(p), *fingerprint(p)] for p in members])]
        elif why_no_file(path) is None:
            members = [path]
            now = fingerprint(path)
        else:
            return MISSING
        entry = self._entries.get(str(path))
        if entry is None or entry[:-1] != now:
            digests = [[str(p.relative_to(path)), file_digest(p)] for p in members]
            content = value_digest(digests) if is_folder else digests[0][1]
            entry = [*now, content]
            self._entries[str(path)] = entry
            self._changed = True
        return f"sha256:{entry[-1]}"

    def save(self) -> None:
        """Write the cache if anything was hashed."""
        if self._changed:
            write_json(self._path, self._entries)
            self._changed = False


def is_digest(value: Any) -> bool:
    """Whether a value is a digest as `file_digest` writes it."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _read_cache(path: Path) -> dict[str, list[Any]]:
    """Entries of a cache that are what `DigestCache` writes."""
    try:
        entries = read_json(path)
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    found = entries if isinstance(entries, dict) else {}
    return {
        name: entry
        for name, entry in found.items()
        if isinstance(entry, list) and entry and is_digest(entry[-1])
    }

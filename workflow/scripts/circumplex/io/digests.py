"""SHA-256 digests of values and of file contents."""

import hashlib
import json
from pathlib import Path
from typing import Any

from circumplex.io.atomic import read_json, write_json

MISSING = "missing"
_BLOCK = 1 << 20


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
    """What changes when a file is written: size in bytes, mtime in nanoseconds, inode."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


class DigestCache:
    """Content digests of large inputs, hashed again only when path, size, mtime or inode change.

    Kept outside the DAG: a touched file costs one more hash and reruns nothing; a file replaced
    by an older one of the same name is seen.

    Args:
        path: JSON file that holds the cache between runs; a damaged one counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read_cache(path)
        self._changed = False

    def digest(self, path: Path) -> str:
        """Digest of a file; of a folder, over the names and digests of the files in it.

        Returns:
            ``sha256:<hex>``, or ``missing`` where nothing stands that may be read: a job reports
            that by sample.
        """
        if path.is_dir():
            members = sorted(p for p in path.rglob("*") if p.is_file())
            # One entry a folder: a data set of crops has millions of files.
            now: list[Any] = [value_digest([[str(p), *fingerprint(p)] for p in members])]
        elif path.is_file():
            members = [path]
            now = fingerprint(path)
        else:
            return MISSING
        known = self._entries.get(str(path))
        if known is None or known[:-1] != now:
            try:
                digests = [[str(p.relative_to(path)), file_digest(p)] for p in members]
            except PermissionError:
                return MISSING
            content = value_digest(digests) if path.is_dir() else digests[0][1]
            known = [*now, content]
            self._entries[str(path)] = known
            self._changed = True
        return f"sha256:{known[-1]}"

    def save(self) -> None:
        """Write the cache if anything was hashed."""
        if self._changed:
            write_json(self._path, self._entries)
            self._changed = False


def _read_cache(path: Path) -> dict[str, list[Any]]:
    """Entries of a cache that are what `DigestCache` writes."""
    try:
        entries = read_json(path)
    except (FileNotFoundError, ValueError):
        return {}
    found = entries if isinstance(entries, dict) else {}
    return {name: entry for name, entry in found.items() if isinstance(entry, list) and entry}

"""A folder of files for people: what is the same stays untouched, and so do people's own files.

A hidden list names the files that were written here; of these, those that are no longer wanted go.

Standard library only.
"""

import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from circumplex.io.atomic import read_json, write_json, write_text

LIST = ".files.json"
"""Names of the files that were written, within the folder."""


class KeptFolder:
    """Bring a folder's files up to date, within a ``with`` block.

    When the block succeeds, files that an earlier block wrote or placed and this one did not are
    removed.

    Args:
        folder: the folder; it need not exist.

    Attributes:
        digests: SHA-256 in hexadecimal of the files that were written, by name.
        sizes: bytes of the files that were placed, by name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.digests: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, name: str, text: str) -> None:
        """Write a file, as UTF-8, unless it is there with the same content.

        Args:
            name: path below the folder.
            text: its content.
        """
        path, content = self._folder / name, text.encode()
        if not path.is_file() or path.is_symlink() or path.read_bytes() != content:
            write_text(path, text)
        self.digests[name] = hashlib.sha256(content).hexdigest()

    def place(self, name: str, source: Path) -> None:
        """Put a large file into the folder: as a second name of the same file, else as a copy.

        Args:
            name: path below the folder.
            source: the file.
        """
        path = self._folder / name
        if not path.is_file() or not _is_same(path, source):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
            try:
                os.link(source, temporary)
            except OSError:  # another file system, or one without such names
                shutil.copy2(source, temporary)
            temporary.replace(path)
        self.sizes[name] = source.stat().st_size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        kept = sorted({*self.digests, *self.sizes})
        for name in set(self._former()) - set(kept):
            (self._folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # its folder holds other files
                (self._folder / name).parent.rmdir()
        for partial in self._folder.rglob(".partial-*"):
            partial.unlink(missing_ok=True)
        write_json(self._folder / LIST, kept)

    def _former(self) -> list[str]:
        """Names of the files that the last block wrote; empty if its list is lost or damaged."""
        try:
            names = read_json(self._folder / LIST)
        except (OSError, ValueError):
            return []
        listed = [Path(n) for n in names if isinstance(n, str)] if isinstance(names, list) else []
        inside = [path for path in listed if ".." not in path.parts and not path.is_absolute()]
        return [path.as_posix() for path in inside]


def _is_same(path: Path, source: Path) -> bool:
    """Whether a file is another name of the source, or a copy of it as `shutil.copy2` makes it."""
    one, other = path.stat(), source.stat()
    return path.samefile(source) or (one.st_size, one.st_mtime_ns) == (
        other.st_size,
        other.st_mtime_ns,
    )

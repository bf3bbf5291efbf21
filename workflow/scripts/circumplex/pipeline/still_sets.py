"""What a set of still images holds, as one digest that decides whether its table is stale.

Label files count by their content. All else (images, and the newer AffectNet's million files of one
number each) counts by name and size: to read a million files at each start would take longer than
what it spares, and a set is downloaded once and not edited.

Imported while the workflow is parsed: standard library only.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from circumplex.errors import RequestError
from circumplex.io.digests import DigestCache

PATH_KEYS = ("path", "images")
LABELS: Mapping[str, str] = {
    "ferplus": r"fer2013(new)?\.csv",
    "rafdb": r"list_patition_label\.txt",
    "affectnet": r"(training|validation)\.csv",
    "bp4d": r"[FM]\d{3}_T\d+(_AU\d+)?\.csv",
    "disfa": r"SN\d{3}_au\d+\.txt",
}
"""Names of the label files in a folder, by kind of set."""


def still_set_digest(name: str, options: Mapping[str, Any], cache: DigestCache) -> str:
    """Digest of the files that a set's options name.

    Args:
        name: of the set, for the message.
        options: of the set, as the config has them.
        cache: digests of large files.

    Raises:
        RequestError: one of the paths is not there.
    """
    label = re.compile(LABELS.get(options["kind"], "(?!)"))
    state = hashlib.sha256()
    for key in PATH_KEYS:
        if key not in options:
            continue
        path = Path(options[key])
        if path.is_file():
            state.update(f"{key} {cache.digest(path)}\n".encode())
        elif path.is_dir():
            for line in _listing(path, label, cache):
                state.update(f"{key} {line}\n".encode("utf-8", "surrogateescape"))
        else:
            raise RequestError(
                f"backbones.still_sets.{name}: {key}: no such file or folder: {path}"
            )
    return f"sha256:{state.hexdigest()}"


def _listing(root: Path, label: re.Pattern[str], cache: DigestCache) -> Iterator[str]:
    """A line a file below a folder, links followed, in an order of their own."""
    seen: set[str] = set()
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        if (real := os.path.realpath(folder)) in seen:
            continue  # a link back
        seen.add(real)
        with os.scandir(folder) as entries:
            members = sorted(entries, key=lambda entry: entry.name)
        for entry in members:
            name = os.path.relpath(entry.path, root)
            if entry.is_dir():
                waiting.append(entry.path)
            elif label.fullmatch(entry.name):
                yield f"{name} {cache.digest(Path(entry.path))}"
            elif entry.is_file():
                yield f"{name} {entry.stat().st_size}"

"""Digests that decide what is stale: of file contents, of parameters, and of code.

Imported while the workflow is parsed, so it needs the standard library alone.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from circumplex.files import read_json, write_json

MISSING = "missing"
NUMERIC_PACKAGES: Mapping[str, str] = {
    "PIL": "pillow",
    "av": "av",
    "cv2": "opencv-python-headless",
    "facenet_pytorch": "facenet-pytorch",
    "numpy": "numpy",
    "optuna": "optuna",
    "opensmile": "opensmile",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "timm": "timm",
    "torch": "torch",
    "torchaudio": "torchaudio",
    "torchvision": "torchvision",
    "transformers": "transformers",
}
"""Packages whose version may change a number, by import name; a progress bar's may not."""
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
        path: JSON file that holds the cache between runs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, list[Any]] = read_json(path) if path.is_file() else {}
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


def code_digest(script: Path, pins: Mapping[str, str] | None = None) -> str:
    """Digest of a script, of every module below its folder that it imports, directly or not, and
    of the pinned versions of the packages that these import.

    The syntax trees are hashed without docstrings, so that a comment, a docstring or formatting
    reruns nothing. Imports inside functions count; dynamic imports are not seen.

    Args:
        script: of a stage.
        pins: version by distribution; see `read_pins`.
    """
    root = script.resolve().parent
    sources = _reachable(script.resolve(), root)
    content = {str(p.relative_to(root)): _parse(p).digest for p in sources}
    packages = {name.partition(".")[0] for path in sources for name in _parse(path).imports}
    for package in packages & NUMERIC_PACKAGES.keys():
        distribution = NUMERIC_PACKAGES[package]
        content[f"{distribution}=="] = (pins or {}).get(distribution, "")
    return value_digest(content)


def read_pins(lock: Path) -> dict[str, str]:
    """Version by distribution of a lock file's ``name==version`` lines."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def _reachable(script: Path, root: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imports(path, root))
    return found


def _imports(path: Path, root: Path) -> list[Path]:
    return sorted({file for name in _parse(path).imports for file in _module_files(name, root)})


@cache
def _module_files(name: str, root: Path) -> list[Path]:
    """Files that importing ``name`` runs: the module and the ``__init__`` of its packages."""
    parts = name.split(".")
    candidates = [root.joinpath(*parts).with_suffix(".py")] if parts != [""] else []
    for depth in range(1, len(parts) + 1):
        candidates.append(root.joinpath(*parts[:depth], "__init__.py"))
    return [path for path in candidates if path.is_file()]


class _Source(NamedTuple):
    """What a Python file says: names that it imports, and the digest of its syntax tree."""

    imports: frozenset[str]
    digest: str


@cache
def _parse(path: Path) -> _Source:
    try:
        return _parse_bytes(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


@cache  # the same file in another folder is not parsed again
def _parse_bytes(source: bytes) -> _Source:
    tree = ast.parse(source)
    names: set[str] = set()
    for node in _blocks_and_statements(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError("relative import; write the full name of the module")
            module = node.module or ""
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return _Source(frozenset(names), hashlib.sha256(ast.dump(tree).encode()).hexdigest())


def _blocks_and_statements(node: ast.AST) -> Iterator[ast.AST]:
    """A tree without its expressions, which hold no import and no docstring."""
    yield node
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(node, block, ()):
            yield from _blocks_and_statements(child)

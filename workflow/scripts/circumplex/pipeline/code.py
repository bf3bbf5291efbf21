"""Digests of code: what a stage's numbers are computed by."""

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from circumplex.io.digests import value_digest

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

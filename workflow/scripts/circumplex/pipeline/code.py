"""Digests of code: what a stage's numbers are computed by.

A digest starts from the modules of a stage's numbers, which `circumplex.pipeline.stages` names, and
follows their imports. Plumbing never counts: errors, options (their values are tracked instead),
digests, atomic writing, and all of `pipeline` and `cli`. Neither do docstrings, comments, log
messages and error messages.

Imported while the workflow is parsed: standard library only.
"""

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from circumplex.io.atomic import read_json, write_json
from circumplex.io.digests import is_digest, value_digest

PACKAGE = "circumplex"
NUMERIC_PACKAGES: Mapping[str, str] = {
    "PIL": "pillow",
    "av": "av",
    "cv2": "opencv-python-headless",
    "facenet_pytorch": "facenet-pytorch",
    "numpy": "numpy",
    "optuna": "optuna",
    "onnxruntime": "onnxruntime",
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
PLUMBING = (
    *("errors", "progress", "config", "pipeline", "cli"),
    *("io.atomic", "io.digests", "io.files", "io.markdown", "io.memory"),
)
"""Modules and packages of ours that change no number; a walk of imports does not enter them."""
COUNTED = frozenset({"config.densenet_blocks"})
"""Modules amid the plumbing that hold sizes of a network."""
LOGGERS = frozenset({"logger", "LOG", "_LOG"})


def code_digest(
    modules: Sequence[str], library: Path, pins: Mapping[str, str] | None = None
) -> str:
    """Digest of modules, of what they import of ours, and of the packages that these import.

    Args:
        modules: names below the package, such as ``media.timeline``.
        library: folder of the package ``circumplex``.
        pins: version by distribution; see `read_pins`.

    Returns:
        SHA-256 in hexadecimal. Imports inside functions count; dynamic imports are not seen.

    Raises:
        ValueError: there is no such module, or one imports relatively.
    """
    sources = _reachable(modules, library)
    content = {name: _parse(path).digest for name, path in sources.items()}
    packages = {
        name.partition(".")[0] for path in sources.values() for name in _parse(path).imports
    }
    for package in packages & NUMERIC_PACKAGES.keys():
        distribution = NUMERIC_PACKAGES[package]
        content[f"{distribution}=="] = (pins or {}).get(distribution, "")
    return value_digest(content)


def counted_modules(modules: Sequence[str], library: Path) -> list[str]:
    """Names of the modules that a digest of these modules covers, sorted."""
    return sorted(_reachable(modules, library))


def read_pins(lock: Path) -> dict[str, str]:
    """Version by distribution of a lock file's ``name==version`` lines."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def _reachable(modules: Sequence[str], library: Path) -> dict[str, Path]:
    """Modules by name, with their files."""
    reached: dict[str, Path] = {}
    waiting = list(modules)
    for name in modules:
        if _module_file(name, library) is None:
            raise ValueError(f"{library} has no module {name}")
    while waiting:
        name = waiting.pop()
        path = _module_file(name, library)
        if path is None or name in reached or _is_plumbing(name):
            continue
        reached[name] = path
        for imported in _parse(path).imports:
            top, _, rest = imported.partition(".")
            if top == PACKAGE and rest:
                waiting.append(rest)
    return reached


def _is_plumbing(module: str) -> bool:
    return module not in COUNTED and any(
        module == name or module.startswith(f"{name}.") for name in PLUMBING
    )


@cache
def _module_file(name: str, library: Path) -> Path | None:
    """File of a module; none for a package, whose ``__init__`` holds a docstring alone."""
    path = library.joinpath(*name.split(".")).with_suffix(".py")
    return path if path.is_file() else None


class _Source(NamedTuple):
    """What a Python file says: names that it imports, and the digest of its syntax tree."""

    imports: frozenset[str]
    digest: str


_PARSED: dict[str, _Source] = {}
"""What files say, by the digest of their bytes: a file is parsed once, wherever it lies."""


def restore_parsed(cache_file: Path) -> None:
    """Take over what an earlier start parsed; a damaged file is ignored."""
    for key, (imports, digest) in _read_parsed(cache_file).items():
        _PARSED.setdefault(key, _Source(frozenset(imports), digest))


def save_parsed(cache_file: Path) -> None:
    """Spare the next start the parsing of files that stay as they are."""
    content = {key: [sorted(found.imports), found.digest] for key, found in _PARSED.items()}
    if _read_parsed(cache_file) != content:
        write_json(cache_file, content)


def _read_parsed(cache_file: Path) -> dict[str, list[Any]]:
    """What `save_parsed` wrote; empty where there is no such file or it says something else."""
    try:
        return {
            key: [list(map(str, imports)), digest]
            for key, (imports, digest) in read_json(cache_file).items()
            if isinstance(imports, list) and is_digest(key) and is_digest(digest)
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


@cache
def _parse(path: Path) -> _Source:
    source = path.read_bytes()
    key = hashlib.sha256(source).hexdigest()
    if key not in _PARSED:
        try:
            _PARSED[key] = _parse_bytes(source)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return _PARSED[key]


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
        _drop_words(node)
    return _Source(frozenset(names), hashlib.sha256(ast.dump(tree).encode()).hexdigest())


def _drop_words(node: ast.AST) -> None:
    """Remove what people read from a node: docstrings, log messages and error messages."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            setattr(node, name, [child for child in block if not _is_words(child)])
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        node.exc.args, node.exc.keywords = [], []


def _is_words(node: ast.AST) -> bool:
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    if isinstance(value, ast.Call):
        function = value.func
        owner = function.value if isinstance(function, ast.Attribute) else None
        return isinstance(owner, ast.Name) and owner.id in LOGGERS
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _blocks_and_statements(node: ast.AST) -> Iterator[ast.AST]:
    """A tree without its expressions, which hold no import and no docstring."""
    yield node
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(node, block, ()):
            yield from _blocks_and_statements(child)

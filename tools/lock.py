"""Write the locks from pyproject.toml: every package pinned, with the hashes of its wheels.

``requirements.lock`` is what a run needs, ``requirements-dev.lock`` what the group ``dev`` adds.
They hold one version of each package for all Pythons that ``tool.circumplex.lock.pythons`` names,
whose interpreters must be found as ``python3.11`` and the like. Pins that stand are kept;
``--upgrade`` resolves everything anew. Packages under ``without-dependencies`` are resolved alone:
their metadata asks for old releases of others. So the locks are installed with ``--no-deps``.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK, DEVELOPMENT = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
HASHES = re.compile(r"^(\S+==\S+) --hash", re.MULTILINE)


def resolve(python: str, *arguments: str) -> dict[str, str]:
    """What pip would install: SHA-256 of the file by ``name==version``."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        command += ["--dry-run", "--ignore-installed", "--report", str(report), *arguments]
        subprocess.run(command, check=True)
        items = json.loads(report.read_text())["install"]
    return {
        f"{item['metadata']['name'].lower()}=={item['metadata']['version']}": item["download_info"][
            "archive_info"
        ]["hashes"]["sha256"]
        for item in items
    }


def resolve_all(
    python: str, wanted: list[str], alone: list[str], pins: list[str]
) -> dict[str, str]:
    """All that requirements need on one Python, those that are ``alone`` without dependencies."""
    apart = [line for line in wanted if re.split(r"[=<>~]", line)[0] in alone]
    others = [line for line in wanted if line not in apart]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(pins))
        found = resolve(python, "-c", str(constraints), *others)
    return found | (resolve(python, "--no-deps", *apart) if apart else {})


def join(found: Iterable[dict[str, str]]) -> dict[str, list[str]]:
    """Hashes by pin over all Pythons.

    Raises:
        SystemExit: two Pythons need two versions of a package.
    """
    joined: dict[str, list[str]] = {}
    for packages in found:
        for pin, digest in packages.items():
            hashes = joined.setdefault(pin, [])
            if digest not in hashes:
                hashes.append(digest)
    names = [pin.partition("==")[0] for pin in joined]
    if twice := {name for name in names if names.count(name) > 1}:
        sys.exit(f"no one version for all Pythons of {', '.join(sorted(twice))}")
    return joined


def write(path: Path, pythons: list[str], packages: dict[str, list[str]], title: str) -> None:
    """Write a lock."""
    lines = [
        f"# {title} Written by `make lock` for Python {', '.join(pythons)} on Linux x86_64;",
        "# install with --no-deps.",
    ]
    for pin, hashes in sorted(packages.items(), key=lambda one: one[0].split("==")):
        lines.append(" ".join([pin, *(f"--hash=sha256:{digest}" for digest in hashes)]))
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Resolve and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="resolve pins anew")
    upgrade = parser.parse_args().upgrade
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = settings["tool"]["circumplex"]["lock"]
    pythons, alone = own["pythons"], own["without-dependencies"]
    interpreters = {version: shutil.which(f"python{version}") for version in pythons}
    if missing := [f"python{version}" for version, path in interpreters.items() if path is None]:
        sys.exit(f"not found: {', '.join(missing)}")
    paths = [path for path in interpreters.values() if path is not None]
    runtime = settings["project"]["dependencies"] + settings["build-system"]["requires"]
    wanted = runtime + settings["dependency-groups"]["dev"]
    locks = [path.read_text() for path in (LOCK, DEVELOPMENT) if path.is_file()]
    pins = [] if upgrade else [pin for text in locks for pin in HASHES.findall(text)]
    found = [resolve_all(path, wanted, alone, pins) for path in paths]
    everything = join(found)
    # With the pins of the whole, so that both locks have one version of each package.
    needed = join(
        resolve_all(path, runtime, alone, list(one)) for path, one in zip(paths, found, strict=True)
    )
    write(LOCK, pythons, needed, "All that a run needs.")
    added = {pin: hashes for pin, hashes in everything.items() if pin not in needed}
    write(DEVELOPMENT, pythons, added, "What development adds to requirements.lock.")


if __name__ == "__main__":
    main()

"""Write requirements.lock from pyproject.toml: every package pinned, with its wheel's hash.

Pins that stand are kept; ``--upgrade`` resolves everything anew. Packages that pyproject.toml lists
under ``without-dependencies`` are resolved alone: their metadata asks for old releases of others.
So the whole lock is installed with ``--no-deps``.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"


def resolve(*arguments: str) -> list[dict]:
    """What pip would install: one entry of its report per package."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), *arguments]
        subprocess.run(command, check=True)
        return json.loads(report.read_text())["install"]


def main() -> None:
    """Resolve and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="resolve pins anew")
    upgrade = parser.parse_args().upgrade
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    alone = settings["tool"]["circumplex"]["lock"]["without-dependencies"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    apart = [line for line in wanted if re.split(r"[=<>~]", line)[0] in alone]
    pins = re.findall(r"^(\S+==\S+) --hash", LOCK.read_text(), re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join([] if upgrade else pins))
        others = [line for line in wanted if line not in apart]
        found = resolve("-c", str(constraints), *others) + resolve("--no-deps", *apart)
    lines = ["# Written by `make lock` for Python 3.11 on Linux x86_64; install with --no-deps."]
    for item in sorted(found, key=lambda i: i["metadata"]["name"].lower()):
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        name, version = item["metadata"]["name"].lower(), item["metadata"]["version"]
        lines.append(f"{name}=={version} --hash=sha256:{digest}")
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

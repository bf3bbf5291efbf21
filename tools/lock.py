"""Write requirements.lock from requirements.in: every package pinned, with its wheel's hash.

facenet-pytorch is added last: its metadata asks for torch < 2.3 and numpy < 2, yet it runs with the
releases here, so the whole lock is installed with ``--no-deps``.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FACENET = "facenet-pytorch==2.6.0"
ROOT = Path(__file__).resolve().parents[1]


def resolve(*arguments: str) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), *arguments]
        subprocess.run(command, check=True)
        return json.loads(report.read_text())["install"]


def main() -> None:
    found = resolve("-r", str(ROOT / "requirements.in")) + resolve("--no-deps", FACENET)
    lines = ["# Made by `make lock` for Python 3.11 on Linux x86_64; install with --no-deps."]
    for item in sorted(found, key=lambda i: i["metadata"]["name"].lower()):
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        name, version = item["metadata"]["name"].lower(), item["metadata"]["version"]
        lines.append(f"{name}=={version} --hash=sha256:{digest}")
    (ROOT / "requirements.lock").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

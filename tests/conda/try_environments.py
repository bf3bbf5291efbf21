"""Run the tiny workflow's first stages with ``--use-conda``: ``make test-conda``.

No conda, and no conda channel, is needed: `conda` in this folder stands in for it, with the solver
of py-rattler and a channel made here, in which ``python`` is the interpreter at hand and ``pip``
its bundled one. The pip sections, and facenet-pytorch's post-deploy script, install from PyPI for
real: the torch environment takes 7 GB. Then a rule of either environment runs in it, and an
environment that cannot be solved must say so.
"""

import argparse
import asyncio
import ensurepip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from rattler.index import index_fs

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SITE = "lib/python3.11/site-packages"
TARGETS = {  # a rule of each environment
    "light": "index/extract_frames/000-of-001.json",
    "torch": "index/align_faces/000-of-001.json",
}


def add_package(folder: Path, name: str, version: str, depends: list[str], files: Path) -> None:
    """A conda package of a folder's files, links included."""
    index = {"name": name, "version": version, "build": "0", "build_number": 0}
    index |= {"depends": depends, "subdir": folder.name, "timestamp": 1_700_000_000_000}
    paths = [p for p in sorted(files.rglob("*")) if p.is_symlink() or p.is_file()]
    names = [str(p.relative_to(files)) for p in paths]
    entries = [
        {"_path": n, "path_type": "softlink" if p.is_symlink() else "hardlink"}
        for n, p in zip(names, paths, strict=True)
    ]
    info = {
        "info/index.json": json.dumps(index),
        "info/paths.json": json.dumps({"paths": entries, "paths_version": 1}),
        "info/files": "".join(f"{n}\n" for n in names),
    }
    with tarfile.open(folder / f"{name}-{version}-0.tar.bz2", "w:bz2") as archive:
        for member, text in info.items():
            header = tarfile.TarInfo(member)
            header.size = len(text.encode())
            archive.addfile(header, BytesIO(text.encode()))
        for member, path in zip(names, paths, strict=True):
            archive.add(path, member)


def make_channel(channel: Path, scratch: Path) -> None:
    """A channel with the interpreter at hand and its pip."""
    (channel / "linux-64").mkdir(parents=True)
    (channel / "noarch").mkdir()
    python = Path(os.path.realpath(sys.executable))
    interpreter = scratch / "python"
    (interpreter / "bin").mkdir(parents=True)
    for name in ("python", "python3", "python3.11"):
        (interpreter / "bin" / name).symlink_to(python)
    # With this file the interpreter takes its packages from the environment.
    (interpreter / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
    version = ".".join(map(str, sys.version_info[:3]))
    add_package(channel / "linux-64", "python", version, [], interpreter)
    (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "pip" / SITE)
    version = wheel.name.split("-")[1]
    add_package(channel / "linux-64", "pip", version, ["python"], scratch / "pip")
    asyncio.run(index_fs(channel))


def snakemake(folder: Path, project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the main environment's Snakemake, with the stand-in before all else on the path."""
    command = [str(ROOT / ".venv/bin/python"), "-m", "snakemake", "--cores", "2", "--use-conda"]
    command += ["--configfile", "config/demo.yaml", "config/tiny.yaml", *options]
    tools = folder / "tools"
    environment = {**os.environ, "PATH": f"{tools}:{ROOT / '.venv/bin'}:{os.environ['PATH']}"}
    environment["CONDA_STAND_IN_CHANNELS"] = f"{(folder / 'channels').as_uri()}/"
    return subprocess.run(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_channel(folder / "channels/conda-forge", folder / "scratch")
        shutil.copytree(HERE / "bin", folder / "tools/bin")
        stand_in = folder / "tools/conda"
        stand_in.write_text(
            (HERE / "conda").read_text().replace("/usr/bin/env python3", sys.executable)
        )
        stand_in.chmod(0o755)
        project = folder / "project"
        project.mkdir()
        for part in ("Snakefile", "config.yaml", "requirements.lock"):
            shutil.copy(ROOT / part, project / part)
        for part in ("config", "workflow", "profiles", "envs"):
            shutil.copytree(ROOT / part, project / part)
        make = [ROOT / ".venv/bin/python", "-m", "demo.corpus.make", "--size", "tiny"]
        make += ["--out", project / ".test/corpus", "--truth", project / ".test/truth"]
        subprocess.run(make, cwd=ROOT, check=True)
        for environment in arguments.environments:
            done = snakemake(folder, project, "--", f".test/results/{TARGETS[environment]}")
            print(done.stdout[-3000:])
            if done.returncode or f"envs/{environment}.yaml" not in done.stdout:
                sys.exit(f"environment {environment}: FAILED")
            print(f"environment {environment}: made, activated, its rule ran in it")
        unsolvable = project / "envs/light.yaml"
        unsolvable.write_text(unsolvable.read_text().replace("python =3.11", "python =3.99"))
        failed = snakemake(folder, project, "--conda-create-envs-only")
        print(failed.stdout[-1500:])
        told = "envs/light.yaml" in failed.stdout and "python 3.99" in failed.stdout
        if failed.returncode == 0 or not told:
            sys.exit("an environment that cannot be solved was not told by name")
        print("an environment that cannot be solved is reported")


if __name__ == "__main__":
    main()

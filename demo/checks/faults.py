"""Kill the demo's run at random moments and resume it: ``make test-faults``.

SIGKILL falls on a job, on Snakemake (whose jobs go on as orphans), or on both, at moments drawn
from the seed. After each, every file that a reader could see is read to its end: none may be half
written. Then the run is resumed as a user would, while the orphans still write. In the end, without
the temporary files of killed jobs, predictions and submissions must be, byte for byte, those of the
undisturbed run.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from circumplex.io.leftovers import remove_leftovers
from circumplex.pipeline.store import file_digest, record_path
from demo.checks.runs import ROOT, places

COMPARED = ("predict_frames", "smooth_predictions", "ensemble_predictions", "submissions")
KINDS = ("job", "scheduler", "both")
SCRIPTS = ".snakemake/scripts/"


@dataclass
class Victim:
    """A run of Snakemake that is killed and resumed.

    Attributes:
        root: folder that it runs in.
        options: of Snakemake: presets, cores, targets.
        log: file that it writes to.
        orphans: jobs that outlived their Snakemake.
    """

    root: Path
    options: Sequence[str]
    log: Path
    orphans: list[psutil.Process] = field(default_factory=list)
    process: psutil.Popen | None = None
    job_was_killed: bool = False

    def start(self) -> None:
        """Start or resume the run."""
        with self.log.open("a") as file:
            self.process = psutil.Popen(
                [sys.executable, "-m", "snakemake", *self.options],
                cwd=self.root,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A parent in the background may have had it ignored, which children inherit.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.job_was_killed = False

    def unlock(self) -> None:
        """Unlock the folder, as one must where Snakemake itself was killed."""
        command = [sys.executable, "-m", "snakemake", *self.options, "--unlock"]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True)

    def jobs(self) -> dict[psutil.Process, str]:
        """The running jobs of this Snakemake, with their rules."""
        found = {}
        for child in self.process.children(recursive=True) if self.process.is_running() else []:
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            scripts = [word for word in words if SCRIPTS in word]
            if "python" in Path(words[0] if words else "").name and scripts:
                found[child] = scripts[0].split(".")[-2]  # .../scripts/tmp1234.<rule>.py
        return found

    def strike(self, kind: str, job: psutil.Process) -> None:
        """Kill a job, the scheduler, or both."""
        others = set(self.jobs()) - {job}
        if kind != "job":
            self.process.kill()
            self.process.wait()
            self.orphans += others if kind == "both" else {*others, job}
        if kind != "scheduler":
            kill(job)
            self.job_was_killed = True

    def interrupt(self) -> None:
        """Ctrl-C in a terminal: SIGINT to Snakemake and all its jobs."""
        os.killpg(self.process.pid, signal.SIGINT)

    def await_job(self, rule: str | None = None, limit_s: float = 900) -> psutil.Process | None:
        """A running job, of a rule if one is named; none if the run ends before."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until and self.process.poll() is None:
            for job, name in self.jobs().items():
                if rule in (None, name):
                    return job
            time.sleep(0.05)
        return None


def kill(process: psutil.Process) -> None:
    """SIGKILL, unless it has just ended."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def half_files(results: Path) -> Iterator[Path]:
    """Files that a reader could see and that are not whole."""
    for path in sorted(results.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(results).parts)
        if hidden or path.is_dir():
            continue
        try:
            if not _is_whole(path):
                yield path
        except FileNotFoundError:
            continue  # a running job has replaced it
        except (OSError, ValueError, pa.ArrowInvalid, zipfile.BadZipFile):
            yield path


def _is_whole(path: Path) -> bool:
    record = record_path(path)
    if "store" in path.parts and path != record and record.is_file():
        return file_digest(path) == json.loads(record.read_text())["sha256"]
    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".parquet":
        pq.read_table(path)
    elif path.suffix == ".npy":
        np.load(path, mmap_mode="r", allow_pickle=False)
    elif path.suffix == ".pt":
        return zipfile.ZipFile(path).testzip() is None
    return True


def differences(one: Path, other: Path) -> list[str]:
    """Predictions and submissions that two results folders do not share byte for byte."""
    found = []
    for stage in COMPARED:
        files = [
            {p.relative_to(root): p for p in (root / stage).rglob("*") if p.is_file()}
            for root in (one, other)
        ]
        if not files[0]:
            found.append(f"{stage} is empty")
        for name in sorted(files[0].keys() | files[1].keys()):
            pair = [side[name].read_bytes() if name in side else None for side in files]
            if pair[0] != pair[1]:
                found.append(f"{stage}/{name}")
    return found


def torment(victim: Victim, results: Path, moments: random.Random, every_s: float) -> list[str]:
    """Run to the end through kills at random moments; returns what was killed, a line each."""
    struck: list[str] = []
    started = time.monotonic()
    victim.start()
    while True:
        due = time.monotonic() + moments.uniform(0.2, 1.8) * every_s
        while time.monotonic() < due and victim.process.poll() is None:
            time.sleep(0.1)
        job = victim.await_job()
        if job is None:
            code = victim.process.wait()
            if code == 0:
                return struck
            if not victim.job_was_killed:
                sys.exit(f"a run failed that nobody had struck: see {victim.log}")
            victim.start()
            continue
        jobs = victim.jobs()
        job = moments.choice(sorted(jobs, key=lambda job: job.pid)) if jobs else job
        kind = moments.choice(KINDS)
        struck.append(f"{time.monotonic() - started:6.0f} s: {kind} in {jobs.get(job, 'a job')}")
        print(struck[-1], flush=True)
        victim.strike(kind, job)
        if half := list(half_files(results)):
            sys.exit(f"half written: {half}")
        if kind != "job":
            victim.unlock()
            victim.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, help="the demo's folder, by default .demo/seed<SEED>"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the corpus and of the moments")
    parser.add_argument("--kills", type=int, default=20, help="at least so many")
    parser.add_argument("--every", type=float, default=40, help="seconds between kills, on average")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--configs", nargs="+", default=["config/demo.yaml"])
    arguments = parser.parse_args()
    folder = arguments.folder or Path(".demo") / f"seed{arguments.seed}"
    results = folder / "faults"
    options = ["--cores", str(arguments.cores), "--configfile", *arguments.configs]
    options += ["--config", *places(folder / "corpus", results)]
    victim = Victim(ROOT, options, folder / "faults.log")
    moments = random.Random(arguments.seed)
    kills = 0
    while kills < arguments.kills:  # a short run may end before; then once more from the start
        shutil.rmtree(results, ignore_errors=True)
        kills += len(torment(victim, results, moments, arguments.every))
        psutil.wait_procs(victim.orphans)
        remove_leftovers(results)  # as `circumplex clean` does
        if wrong := [*map(str, half_files(results)), *differences(folder / "results", results)]:
            sys.exit("not as in the undisturbed run: " + ", ".join(wrong))
    print(f"{kills} kills; predictions and submissions are those of the undisturbed run")


if __name__ == "__main__":
    main()

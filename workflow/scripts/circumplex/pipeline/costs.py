"""What stages cost in a finished run, from its benchmarks."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from circumplex.pipeline.store import Entry, Status
from circumplex.report.feature_cards import Cost

COUNTS = re.compile(r"(\d+) made, (\d+) taken from the store")


@dataclass(frozen=True)
class Measured:
    """What whole jobs of a stage took.

    Attributes:
        cpu_s: CPU seconds of all these jobs.
        jobs: their number.
        samples: that they computed.
    """

    cpu_s: float
    jobs: int
    samples: tuple[str, ...]


def measure_costs(
    results: Path,
    stages: Mapping[str, str],
    entries: Mapping[str, Mapping[str, Mapping[str, Entry]]],
    video_s: Mapping[str, float],
) -> dict[str, Cost]:
    """Cost of each feature by the benchmarks of the jobs that computed it.

    Args:
        results: folder of the run.
        stages: by feature, the stage that makes it.
        entries: by stage, shard and sample.
        video_s: length of each sample's video in seconds.

    Returns:
        By feature; only those of which some job is known whole.
    """
    costs = {}
    for feature, stage in stages.items():
        done = measure_stage(results, stage, entries.get(stage, {}))
        seconds = sum(video_s.get(name, 0.0) for name in done.samples)
        if seconds > 0:
            costs[feature] = Cost(done.cpu_s, seconds)
    return costs


def measure_stage(
    results: Path, stage: str, entries: Mapping[str, Mapping[str, Entry]]
) -> Measured:
    """What a stage's jobs took, by their benchmarks.

    A job that took from the store what an earlier one made is left out: its time says nothing of
    the work.

    Args:
        results: folder of the run.
        stage: of per-sample files.
        entries: by shard and sample.
    """
    found = [
        job
        for shard, samples in entries.items()
        if (job := _measure_job(results, stage, shard, samples))
    ]
    samples = tuple(name for job in found for name in job.samples)
    return Measured(sum(job.cpu_s for job in found), len(found), samples)


def _measure_job(
    results: Path, stage: str, shard: str, samples: Mapping[str, Entry]
) -> Measured | None:
    log = results / "logs" / stage / f"{shard}.log"
    benchmark = results / "benchmarks" / stage / f"{shard}.tsv"
    if not (log.is_file() and benchmark.is_file()):
        return None
    made = COUNTS.findall(log.read_text(encoding="utf-8"))
    done = {name: entry for name, entry in samples.items() if entry.status is Status.OK}
    # Samples of equal content, two people of one film say, share a file that is made once.
    files = {entry.file: name for name, entry in done.items()}
    if not files or not made or made[-1] != (str(len(files)), str(len(done) - len(files))):
        return None
    with benchmark.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    if len(rows) != 1 or not _is_number(rows[0].get("cpu_time", "")):
        return None  # too short a job has no CPU time
    return Measured(float(rows[0]["cpu_time"]), 1, tuple(files.values()))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None

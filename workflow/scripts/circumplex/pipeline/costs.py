"""What features cost in a finished run, from its benchmarks."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from circumplex.pipeline.store import Entry, Status
from circumplex.report.feature_cards import Cost

COUNTS = re.compile(r"(\d+) made, (\d+) taken from the store")


def measure_costs(
    results: Path,
    stages: Mapping[str, str],
    entries: Mapping[str, Mapping[str, Mapping[str, Entry]]],
    video_s: Mapping[str, float],
) -> dict[str, Cost]:
    """Cost of each feature by the benchmarks of the jobs that computed it.

    A job that took from the store what an earlier one made is left out: its time says nothing of
    the work.

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
        jobs = [
            cost
            for shard, samples in entries.get(stage, {}).items()
            if (cost := _job_cost(results, stage, shard, samples, video_s))
        ]
        total = Cost(sum(job.cpu_s for job in jobs), sum(job.video_s for job in jobs))
        if total.video_s > 0:
            costs[feature] = total
    return costs


def _job_cost(
    results: Path,
    stage: str,
    shard: str,
    samples: Mapping[str, Entry],
    video_s: Mapping[str, float],
) -> Cost | None:
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
    return Cost(float(rows[0]["cpu_time"]), sum(video_s.get(name, 0.0) for name in files.values()))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None

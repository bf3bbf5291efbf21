"""Jobs as a script gets them, without Snakemake."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.records import Job
from circumplex.pipeline.requests import Request, ShardRequest


def running_job(
    results: Path,
    request: Request,
    inputs: Mapping[str, list[Path]],
    outputs: Mapping[str, Path],
    unit: str = "",
) -> RunningJob:
    """A job on the CPU with a thread."""
    names = {name: tuple(str(path) for path in paths) for name, paths in inputs.items()}
    job = Job(unit, request, names, tuple(map(str, outputs.values())))
    written = {name: [path] for name, path in outputs.items()}
    return RunningJob(job, results, {**inputs}, written, threads=1, resources={})


def shard_job(
    results: Path,
    stage: str,
    *before: str,
    options: Mapping[str, Any] | None = None,
    samples: Mapping[str, Mapping[str, str]] | None = None,
    feature: str = "",
) -> RunningJob:
    """The job of a stage of per-sample files for the only shard, after the stages ``before``."""
    shard = "000-of-001"
    request = ShardRequest(stage, "code", options or {}, samples or {}, feature)
    inputs = {name: [results / "index" / name / f"{shard}.json"] for name in before}
    outputs = {"index": results / "index" / stage / f"{shard}.json"}
    return running_job(results, request, inputs, outputs, shard)

"""This script takes a shard's samples to a timeline of one rate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.media.resampling import resample_timeline
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        timeline = job.path(request.upstream["extract_frames"])
        resample_timeline(timeline, output, metadata, **job.stage.options)

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

"""This script gives samples without video a timeline: a frame for each row of a feature."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.features.imports.files import open_feature
from circumplex.media.timeline import write_timeline
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    source, feature = Path(job.request.source), job.request.feature

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        frames = open_feature(source, feature, request.sample).rows
        write_timeline(frames, output, fps=job.stage.options["fps"], metadata=metadata)

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

"""This script sums up the faces and the sound of a shard's samples for people to look at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest, Status
from circumplex.report.quality import summarise_quality


def main(job: ShardJob) -> None:
    """Make what is stale of the shard; a sample without sound, or without picture, has a sheet."""

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        made = {
            stage: job.path(entry)
            for stage, entry in request.upstream.items()
            if entry.status is Status.OK
        }
        summarise_quality(
            made["extract_frames"],
            output,
            metadata,
            faces=made.get("align_faces"),
            sound=made.get("extract_audio"),
        )

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job, takes_absent=True))

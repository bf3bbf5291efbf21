"""This script reads the presentation time of every frame of a shard's videos."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.media.timeline import extract_frames
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import Request


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""

    def make(request: Request, output: Path, metadata: Mapping[str, Any]) -> None:
        video = job.sheet[request.sample].video
        extract_frames(video, output, metadata, **job.stage.options)

    job.run(make)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

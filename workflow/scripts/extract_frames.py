"""This script reads the presentation time of every frame of a shard's videos."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.jobs import ShardJob
from circumplex.media import extract_frames
from circumplex.store import Request


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""

    def make(request: Request, output: Path, metadata: Mapping[str, Any]) -> None:
        video = job.sheet[request.sample].video
        extract_frames(video, output, metadata, **job.stage.options)

    job.run(make)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

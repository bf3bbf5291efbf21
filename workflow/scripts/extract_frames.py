"""This script reads the presentation time of every frame of a shard's videos."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.media.timeline import extract_frames
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        row = job.sheet[request.sample]
        extract_frames(
            row.video,
            output,
            metadata,
            video_stream=row.video_stream,
            audio_stream=None if row.audio else row.audio_stream,
            image_rate=row.image_rate,
            **job.stage.options,
        )

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

"""This script makes small copies of a shard's videos that browsers do not play, for the pages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.media.proxy import Streams, make_proxy
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:  # noqa: ARG001
        sample = job.sheet[request.sample]
        make_proxy(
            sample.video,
            job.path(request.upstream["extract_frames"]),
            output,
            streams=Streams(
                sample.video_stream,
                None if sample.audio else sample.audio_stream,
                sample.image_rate,
            ),
            **job.stage.options,
        )

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job, suffix=".mp4"))

"""This script brings the sound of a shard's samples to 16 kHz mono on the video's clock."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.media.sound import extract_audio
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:  # noqa: ARG001
        sample = job.sheet[request.sample]
        media, clock = sample.audio, None
        if media is None:
            media, clock = sample.video, job.path(request.upstream["extract_frames"])
        extract_audio(media, output, clock=clock, number=sample.audio_stream)

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job, suffix=".wav"))

"""This script names, for each frame, the nearest frame with a valid face."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.faces.fill import NoValid, fill_frames
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    no_valid = NoValid(job.stage.options["no_valid_face"])

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        faces = job.path(request.upstream["align_faces"])
        fill_frames(faces, output, no_valid=no_valid, metadata=metadata)

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

"""This script names, for each frame, the nearest frame with a valid face."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.faces.fill import NoValid, fill_frames
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import Request


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""

    no_valid = NoValid(job.stage.options["no_valid_face"])

    def make(request: Request, output: Path, metadata: Mapping[str, Any]) -> None:
        faces = job.path(request.upstream["align_faces"])
        fill_frames(faces, output, no_valid=no_valid, metadata=metadata)

    job.run(make)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

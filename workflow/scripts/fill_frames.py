"""This script names, for each frame, the nearest frame with a valid face."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.faces.fill import NoValid, Rule, fill_frames
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    options = job.stage.options
    rule = Rule(NoValid(options["no_valid_face"]), options["min_valid_share"])

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        faces = job.path(request.upstream["align_faces"])
        fill_frames(faces, output, rule, metadata)

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

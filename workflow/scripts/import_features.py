"""This script takes over features that the user has on disk, one row a video frame."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.features.imports.files import import_features
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    source, feature = Path(job.request.source), job.request.feature

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        timeline = job.path(request.upstream["extract_frames"])
        import_features(
            source,
            feature,
            request.sample,
            timeline,
            output,
            dimension=job.stage.options["dimension"],
            metadata=metadata,
        )

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

"""This script takes over features that the user has on disk, one row a video frame."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.features.imports.files import import_features
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import Request


def main(job: ShardJob, source: Path, feature: str) -> None:
    """Make what is stale of the shard."""

    def make(request: Request, output: Path, metadata: Mapping[str, Any]) -> None:
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
    tracked = snakemake.params.stage
    main(ShardJob.start(snakemake), Path(tracked["source"]), tracked["feature"])

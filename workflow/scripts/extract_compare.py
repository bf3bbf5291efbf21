"""This script computes ComParE 2016 descriptors and deltas (130 a row) of a shard's samples."""

from circumplex.features.extractors import compare
from circumplex.pipeline.jobs.extraction import run_audio
from circumplex.pipeline.jobs.shard import ShardJob


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    run_audio(job, compare.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

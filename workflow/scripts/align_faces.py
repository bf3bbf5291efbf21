"""This script finds and aligns the subject's face in every frame of a shard's samples."""

from circumplex.pipeline.jobs.faces import align_shard
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob

if __name__ == "__main__":
    with running(snakemake) as job:
        align_shard(ShardJob.of(job))

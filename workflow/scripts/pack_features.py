"""This script packs one feature of a shard's samples, on the frame's clock, for training."""

from circumplex.pipeline.jobs.features import pack_shard
from circumplex.pipeline.jobs.job import running

if __name__ == "__main__":
    with running(snakemake) as job:
        pack_shard(job)

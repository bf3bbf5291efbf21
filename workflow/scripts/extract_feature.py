"""This script extracts one feature of a shard's samples; the rule's request names it."""

from circumplex.pipeline.jobs.extraction import extract_feature
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob

if __name__ == "__main__":
    with running(snakemake) as job:
        extract_feature(ShardJob.of(job))

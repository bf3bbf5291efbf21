"""This script traces every number of the run's tables to checkpoint, seed, features and weights."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.results import make_manifest

if __name__ == "__main__":
    with running(snakemake) as job:
        make_manifest(job)

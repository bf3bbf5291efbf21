"""This script lists the samples that failed, with the stage and the reason."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.results import list_failures

if __name__ == "__main__":
    with running(snakemake) as job:
        list_failures(job)

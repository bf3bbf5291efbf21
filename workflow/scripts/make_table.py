"""This script writes one of the paper's tables: our numbers beside the published ones."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.results import make_table

if __name__ == "__main__":
    with running(snakemake) as job:
        make_table(job)

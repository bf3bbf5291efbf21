"""This script trains the model of one trial of the search."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.training import run_trial

if __name__ == "__main__":
    with running(snakemake) as job:
        run_trial(job)

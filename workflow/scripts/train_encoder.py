"""This script trains one model: an experiment on one fold with one seed."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.training import TrainingJob

if __name__ == "__main__":
    with running(snakemake) as job:
        TrainingJob.of(job).run_job()

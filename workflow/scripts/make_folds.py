"""This script divides training and validation samples into folds, groups never split."""

from circumplex.pipeline.jobs.features import divide_into_folds
from circumplex.pipeline.jobs.job import running

if __name__ == "__main__":
    with running(snakemake) as job:
        divide_into_folds(job)

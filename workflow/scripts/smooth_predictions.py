"""This script clips and smooths the predictions of one model."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.predictions import smooth_predictions

if __name__ == "__main__":
    with running(snakemake) as job:
        smooth_predictions(job)

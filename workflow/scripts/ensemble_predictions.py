"""This script combines the smoothed predictions of an ensemble's models, target by target."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.predictions import ensemble_predictions

if __name__ == "__main__":
    with running(snakemake) as job:
        ensemble_predictions(job)

"""This script gives an ensemble's predictions for every frame of the videos."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.predictions import restore_frames

if __name__ == "__main__":
    with running(snakemake) as job:
        restore_frames(job)

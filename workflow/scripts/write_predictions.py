"""This script writes predictions as CSV files, and a summary of all samples."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.outputs import write_predictions

if __name__ == "__main__":
    with running(snakemake) as job:
        write_predictions(job)

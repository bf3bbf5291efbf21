"""This script copies an ensemble's models into one folder that predicts new videos."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.results import export_ensemble

if __name__ == "__main__":
    with running(snakemake) as job:
        export_ensemble(job)

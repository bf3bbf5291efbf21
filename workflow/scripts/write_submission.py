"""This script writes a submission: the test samples' predictions in a challenge's format."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.results import write_submission

if __name__ == "__main__":
    with running(snakemake) as job:
        write_submission(job)

"""This script writes the report: one HTML page that opens offline, and pages of all samples."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.report import make_report

if __name__ == "__main__":
    with running(snakemake) as job:
        make_report(job, snakemake.params.configs)

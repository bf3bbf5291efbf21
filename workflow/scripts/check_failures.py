"""This script ends the run: prints where the results are, and fails if any sample failed."""

import sys

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.results import check_failures

if __name__ == "__main__":
    with running(snakemake) as job:
        if not check_failures(job):
            sys.exit(1)

"""This script writes a search's trials, the best first, and the best one as a preset."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.search import summarise_search

if __name__ == "__main__":
    with running(snakemake) as job:
        summarise_search(job)

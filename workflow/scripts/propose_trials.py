"""This script proposes a round's trials of the search, from the scores of the rounds before."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.search import propose_round

if __name__ == "__main__":
    with running(snakemake) as job:
        propose_round(job)

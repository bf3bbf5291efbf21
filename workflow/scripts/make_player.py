"""This script writes pages that play each video beside its predictions."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.outputs import make_player

if __name__ == "__main__":
    with running(snakemake) as job:
        make_player(job)

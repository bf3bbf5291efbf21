"""This script fetches the published weights that the config asks for into the cache."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.weights import fetch_weights

if __name__ == "__main__":
    with running(snakemake) as job:
        fetch_weights(job)

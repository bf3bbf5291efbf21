"""This script writes the table of a set of still images that a backbone is trained on."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.weights import list_stills_of_set

if __name__ == "__main__":
    with running(snakemake) as job:
        list_stills_of_set(job)

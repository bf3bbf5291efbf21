"""This script scores models and ensembles on the annotated samples they were not trained on."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.results import evaluate

if __name__ == "__main__":
    with running(snakemake) as job:
        evaluate(job)

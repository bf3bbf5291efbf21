"""This script predicts every frame of the samples that a model was not trained on."""

from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.predictions import predict_frames

if __name__ == "__main__":
    with running(snakemake) as job:
        predict_frames(job)

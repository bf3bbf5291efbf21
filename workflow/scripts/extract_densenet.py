"""This script computes DenseNet expression features (342 a frame) of a shard's samples."""

import torch

from circumplex.features.extractors import densenet
from circumplex.pipeline.jobs.extraction import run_visual
from circumplex.pipeline.jobs.shard import ShardJob


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    torch.set_num_threads(job.threads)
    run_visual(job, densenet.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

"""This script computes IResNet action unit features (512 a frame) of a shard's samples."""

import torch

from circumplex.features.extractors import fau
from circumplex.pipeline.jobs.extraction import run_visual
from circumplex.pipeline.jobs.shard import ShardJob


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    torch.set_num_threads(job.threads)
    run_visual(job, fau.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

"""This script computes Vision Transformer features of a shard's samples."""

import torch

from circumplex.extractors import vit
from circumplex.jobs import ShardJob
from circumplex.visual_extraction import run_visual


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    torch.set_num_threads(job.threads)
    run_visual(job, vit.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

"""This script computes VGGish embeddings (128 an example) of a shard's samples."""

import torch

from circumplex.features.extractors import vggish
from circumplex.pipeline.jobs.extraction import run_examples
from circumplex.pipeline.jobs.shard import ShardJob


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    torch.set_num_threads(job.threads)
    run_examples(job, vggish.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

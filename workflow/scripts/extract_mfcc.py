"""This script computes cepstral coefficients of a shard's sounds."""

import torch

from circumplex.features.extractors import mfcc
from circumplex.pipeline.jobs.extraction import run_audio
from circumplex.pipeline.jobs.shard import ShardJob


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    torch.set_num_threads(job.threads)
    run_audio(job, mfcc.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

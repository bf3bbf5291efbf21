"""This script computes hidden states of a speech encoder for a shard's samples."""

import torch

from circumplex.features.extractors import speech
from circumplex.pipeline.jobs.extraction import run_audio
from circumplex.pipeline.jobs.shard import ShardJob


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    torch.set_num_threads(job.threads)
    run_audio(job, speech.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

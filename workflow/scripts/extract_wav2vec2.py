"""This script computes wav2vec 2.0 hidden states (768 a token) of a shard's samples."""

import torch

from circumplex.features.extractors import wav2vec2
from circumplex.pipeline.jobs.extraction import run_audio
from circumplex.pipeline.jobs.shard import ShardJob


def main(job: ShardJob) -> None:
    """Make what is stale of the shard."""
    torch.set_num_threads(job.threads)
    run_audio(job, wav2vec2.build)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

"""The job of an audio extractor: one process loads it once for a shard."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from circumplex.extractors.audio import AudioExtractor, extract_audio_feature
from circumplex.jobs import ShardJob
from circumplex.store import Request


def run_audio(job: ShardJob, build: Callable[[Mapping[str, Any], str], AudioExtractor]) -> None:
    """Extract an audio feature; its network, if any, loads only if a sample is stale.

    Args:
        job: of a shard.
        build: makes the extractor from its slice of the config, on a device.
    """
    extractor = cache(lambda: build(job.extractor_options(), job.device))

    def make(request: Request, output: Path, metadata: Mapping[str, Any]) -> None:
        wave = job.path(request.upstream["extract_audio"])
        extract_audio_feature(wave, output, extractor(), metadata)

    job.run(make)

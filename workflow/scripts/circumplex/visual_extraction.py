"""The job of a visual extractor: one process loads the network once for a shard."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from circumplex.extractors.visual import FrameExtractor, extract_visual
from circumplex.jobs import ShardJob
from circumplex.store import Request


def run_visual(job: ShardJob, build: Callable[[Mapping[str, Any], str], FrameExtractor]) -> None:
    """Extract a visual feature; the network loads only if a sample is stale.

    Args:
        job: of a shard.
        build: makes the extractor from its slice of the config, on a device.
    """
    extractor = cache(lambda: build(job.extractor_options(), job.device))
    batch_size = job.stage.options["batch_size"]

    def make(request: Request, output: Path, metadata: Mapping[str, Any]) -> None:
        faces, fill = (job.path(request.upstream[s]) for s in ("align_faces", "fill_frames"))
        extract_visual(faces, fill, output, extractor(), batch_size, metadata)

    job.run(make)

"""The job of a visual extractor: one process loads the network once for a shard."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.extractors.batches import extract_in_batches
from circumplex.extractors.visual import FrameExtractor, read_frames, write_frames
from circumplex.jobs import ShardJob
from circumplex.store import Problem, Task


def run_visual(job: ShardJob, build: Callable[[Mapping[str, Any], str], FrameExtractor]) -> None:
    """Extract a visual feature; the network loads only if a sample is stale.

    Args:
        job: of a shard.
        build: makes the extractor from its slice of the config, on a device.
    """

    def make_all(tasks: Sequence[Task]) -> Iterator[tuple[Task, Problem | None]]:
        if tasks:
            extractor = build(job.extractor_options(), job.device)
            yield from extract_faces(job, tasks, extractor)

    job.run_together(make_all)


def extract_faces(
    job: ShardJob, tasks: Sequence[Task], extractor: FrameExtractor
) -> Iterator[tuple[Task, Problem | None]]:
    """Tables of the feature, from the tables of faces and of the frames that stand in."""

    def read(task: Task) -> Iterator[tuple[pa.RecordBatch, NDArray[np.uint8]]]:
        upstream = task.request.upstream
        faces, fill = (job.path(upstream[stage]) for stage in ("align_faces", "fill_frames"))
        return read_frames(faces, fill, extractor.prepare)

    def write(task: Task, pieces: Iterator[tuple[pa.RecordBatch, NDArray[np.float32]]]) -> None:
        name, dimension = extractor.name, extractor.dimension
        write_frames(task.output, name, dimension, pieces, task.metadata)

    return extract_in_batches(tasks, extractor, read, write)

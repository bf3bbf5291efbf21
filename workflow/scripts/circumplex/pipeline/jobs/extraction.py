"""The jobs of audio extractors: one process loads its extractor once for a shard."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.features.batches import extract_in_batches
from circumplex.features.sound import (
    AudioExtractor,
    AudioRows,
    ExampleExtractor,
    Intervals,
    extract_audio_feature,
    write_rows,
)
from circumplex.features.visual import FrameExtractor, read_frames, write_frames
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import Problem, Request, Task


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


def run_examples(
    job: ShardJob, build: Callable[[Mapping[str, Any], str], ExampleExtractor]
) -> None:
    """As `run_audio`, for an extractor whose batches are filled across samples."""

    def make_all(tasks: Sequence[Task]) -> Iterator[tuple[Task, Problem | None]]:
        if tasks:
            extractor = build(job.extractor_options(), job.device)
            yield from extract_examples(job, tasks, extractor)

    job.run_together(make_all)


def extract_examples(
    job: ShardJob, tasks: Sequence[Task], extractor: ExampleExtractor
) -> Iterator[tuple[Task, Problem | None]]:
    """Tables of the feature, from the wave files of the tasks' samples."""

    def read(task: Task) -> Iterator[tuple[Intervals, NDArray[np.float32]]]:
        return extractor.read(job.path(task.request.upstream["extract_audio"]))

    def write(task: Task, pieces: Iterator[tuple[Intervals, NDArray[np.float32]]]) -> None:
        rows = (AudioRows(*intervals, values) for intervals, values in pieces)
        write_rows(rows, task.output, extractor, task.metadata)

    return extract_in_batches(tasks, extractor, read, write)


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

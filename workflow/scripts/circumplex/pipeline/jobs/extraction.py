"""The jobs that extract features: one process loads its extractor once for a shard."""

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from circumplex.config.features import FEATURES
from circumplex.config.modalities import Modality
from circumplex.errors import ModalityAbsent, SampleError
from circumplex.pipeline.boundary import one_sample, whole_job
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import Problem, Task

Extraction = Callable[[ShardJob, Sequence[Task], Any], Iterator[tuple[Task, Problem | None]]]
PACKAGE = "circumplex.features.extractors"


def extract_feature(job: ShardJob) -> None:
    """Bring one feature of a shard up to date.

    The extractor, and with it PyTorch, is loaded only if a sample is stale.
    """

    def make_all(tasks: Sequence[Task]) -> Iterator[tuple[Task, Problem | None]]:
        if tasks:
            extractor = load_extractor(job)
            yield from choose_extraction(job, extractor)(job, tasks, extractor)

    job.run_together(make_all)


def choose_extraction(job: ShardJob, extractor: Any) -> Extraction:
    """How an extractor works: on face crops, on examples of sound in batches, or on whole files."""
    if FEATURES[job.request.feature].modality is Modality.VISUAL:
        return extract_faces
    from circumplex.features.sound import ExampleExtractor

    return extract_examples if isinstance(extractor, ExampleExtractor) else extract_rows


def load_extractor(job: ShardJob) -> Any:
    """The extractor of the job's feature: ``build`` of the module of its name.

    The code digest of the stage starts from that module, so that it may be imported by name.
    """
    module = import_module(f"{PACKAGE}.{job.request.feature}")
    set_threads(job.threads)
    return module.build(job.extractor_options(), job.running.take_device())


def set_threads(threads: int) -> None:
    """Have PyTorch compute with so many threads, if an extractor has loaded it."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


def extract_rows(
    job: ShardJob, tasks: Sequence[Task], extractor: Any
) -> Iterator[tuple[Task, Problem | None]]:
    """Tables of a feature at the extractor's own rate, wave file by wave file."""
    from circumplex.features.sound import extract_audio_feature

    for task in tasks:
        wave = job.path(task.request.upstream["extract_audio"])
        try:
            with one_sample(task.request.sample, job.stage.results):
                extract_audio_feature(wave, task.output, extractor, task.metadata)
        except (SampleError, ModalityAbsent) as problem:
            yield task, problem
        else:
            yield task, None


def extract_examples(
    job: ShardJob, tasks: Sequence[Task], extractor: Any
) -> Iterator[tuple[Task, Problem | None]]:
    """Tables of a feature whose batches are filled across samples, from their wave files."""
    from circumplex.features.batches import extract_in_batches
    from circumplex.features.sound import AudioRows, write_rows

    def read(task: Task) -> Iterator[tuple[Any, Any]]:
        wave = job.path(task.request.upstream["extract_audio"])
        with one_sample(task.request.sample, job.stage.results):
            yield from extractor.read(wave)

    def write(task: Task, pieces: Iterator[tuple[Any, Any]]) -> None:
        embedded = whole_job(pieces)
        rows = (AudioRows(row.start_s, row.end_s, values) for row, values in embedded)
        with one_sample(task.request.sample, job.stage.results):
            write_rows(rows, task.output, extractor, task.metadata)

    return extract_in_batches(tasks, extractor, read, write)


def extract_faces(
    job: ShardJob, tasks: Sequence[Task], extractor: Any
) -> Iterator[tuple[Task, Problem | None]]:
    """Tables of a visual feature, from the tables of faces and of the frames that fill gaps."""
    from circumplex.features.batches import extract_in_batches
    from circumplex.features.visual import read_frames, write_frames

    def read(task: Task) -> Iterator[tuple[Any, Any]]:
        upstream = task.request.upstream
        faces, fill = (job.path(upstream[stage]) for stage in ("align_faces", "fill_frames"))
        with one_sample(task.request.sample, job.stage.results):
            yield from read_frames(faces, fill, extractor.prepare)

    def write(task: Task, pieces: Iterator[tuple[Any, Any]]) -> None:
        name, dimension = extractor.name, extractor.dimension
        columns = list(getattr(extractor, "columns", ()))
        metadata = {**task.metadata, "columns": columns} if columns else task.metadata
        with one_sample(task.request.sample, job.stage.results):
            write_frames(task.output, name, dimension, whole_job(pieces), metadata)

    return extract_in_batches(tasks, extractor, read, write)

"""The content-addressed store of per-sample files, and the job that fills it for a shard.

One job serves many samples, so that imports and weights load once; what is stale is decided per
sample: a file's key digests the stage's code and options and the contents that went in. A shard's
index names the file and digest of each sample; under ``<results>/<stage>/<sample><suffix>`` stands
a link to it, the stable path that a user reads.

Layout, below the results folder::

    store/<stage>/<key[:2]>/<key><suffix>     the file
    store/<stage>/<key[:2]>/<key>.json        its digest, written after it
    index/<stage>/<shard>.json                what a shard's samples have come to
    <stage>/<sample><suffix>                  link into the store, or a copy where there are none

Imported while the workflow is parsed (`damaged_samples`): standard library only at the top.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from circumplex.errors import ModalityAbsent, PassingError, SampleError
from circumplex.io.atomic import is_link, link, read_json, write_json
from circumplex.io.digests import file_digest, fingerprint, is_digest, value_digest
from circumplex.pipeline.boundary import named_in_log, one_sample, time_limit
from circumplex.progress import report_progress

logger = logging.getLogger(__name__)


class Status(StrEnum):
    """What became of a sample in a stage."""

    OK = "ok"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """A sample's line in an index.

    Attributes:
        status: whether there is a file.
        file: path of the file relative to the results folder; empty unless ``ok``.
        sha256: digest of the file; empty unless ``ok``.
        stage: the stage that decided: where a sample failed, the first one that it failed in.
        reason: why it failed or is absent; empty if ``ok``.
    """

    status: Status
    file: str = ""
    sha256: str = ""
    stage: str = ""
    reason: str = ""


@dataclass(frozen=True)
class SampleRequest:
    """What one sample asks of a stage.

    Attributes:
        sample: name of the sample.
        key: JSON-serialisable content that goes into the file, beside the stage's code and options.
        upstream: entries of this sample in the stages before, by stage.
        files: the user's files that it is made from, for messages.
        limit_s: seconds that it may take; any by default.
    """

    sample: str
    key: Mapping[str, Any]
    upstream: Mapping[str, Entry] = field(default_factory=dict)
    files: Sequence[str] = ()
    limit_s: float | None = None


@dataclass(frozen=True)
class Task:
    """A stale sample's file, to be made.

    Attributes:
        request: what the sample asks.
        output: path to write.
        metadata: to write in it.
    """

    request: SampleRequest
    output: Path
    metadata: Mapping[str, Any]


PROBLEM = "%s: %s in %s: %s"
"""Line of the log: sample, status, stage, reason."""
Problem = SampleError | ModalityAbsent
"""Why a sample has no file."""
Make = Callable[[SampleRequest, Path, Mapping[str, Any]], None]
"""Makes a sample's file: takes the request, the path to write and the metadata to write in it."""
MakeAll = Callable[[Sequence[Task]], Iterable[tuple[Task, Problem | None]]]
"""Makes the files of many samples; each task comes back as soon as its file stands or failed."""


@dataclass(frozen=True)
class Stage:
    """A stage of per-sample files.

    Attributes:
        name: the rule's name.
        results: the results folder.
        code: digest of the stage's script and all that it imports.
        options: what changes the numbers: parameters, weights' digest.
        suffix: of the files.
        takes_absent: makes a file of what is there where an earlier stage marks a sample absent.
    """

    name: str
    results: Path
    code: str
    options: Mapping[str, Any]
    suffix: str = ".parquet"
    takes_absent: bool = False

    def link_path(self, sample: str) -> Path:
        """The stable path of a sample's file."""
        return self.results / self.name / f"{sample}{self.suffix}"

    def stored_path(self, key: str) -> Path:
        """Where the store keeps the file of a key."""
        return self.results / "store" / self.name / key[:2] / f"{key}{self.suffix}"


def record_path(stored: Path) -> Path:
    """The record beside a stored file: digest and fingerprint."""
    return stored.with_suffix(".json")


def write_record(stored: Path) -> str:
    """Digest a finished file into its record; returns the digest."""
    sha256 = file_digest(stored)
    write_json(record_path(stored), {"sha256": sha256, "fingerprint": fingerprint(stored)})
    return sha256


def intact_digest(stored: Path) -> str | None:
    """Digest of a stored file, or none if it is missing, unfinished or altered.

    A file whose size, mtime and inode are those of its record is not read again.
    """
    record = record_path(stored)
    if not stored.is_file() or not record.is_file():
        return None
    try:
        known = read_json(record)
        sha256, then = known["sha256"], known["fingerprint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not is_digest(sha256):
        return None
    now = fingerprint(stored)
    if then != now:
        if file_digest(stored) != sha256:
            return None
        # Copied or touched, but whole: spare the next reader the reading.
        write_json(record, {"sha256": sha256, "fingerprint": now})
    return str(sha256)


def run_shard(
    stage: Stage, index: Path, requests: Iterable[SampleRequest], make: Make
) -> list[str]:
    """Bring a shard's samples up to date, one after the other; see `run_shard_together`.

    What a sample's own files cause fails that sample (`circumplex.pipeline.boundary`), and so does
    a sample that takes longer than its request allows.
    """

    def make_each(tasks: Sequence[Task]) -> Iterator[tuple[Task, Problem | None]]:
        for task in tasks:
            request = task.request
            # The last such line names the sample of a process that died without a word.
            logger.info("%s: begins", request.sample)
            try:
                with (
                    one_sample(request.sample, stage.results, request.files),
                    time_limit(request.limit_s),
                ):
                    make(request, task.output, task.metadata)
            except (SampleError, ModalityAbsent) as problem:
                yield task, problem
            else:
                yield task, None

    return run_shard_together(stage, index, requests, make_each)


def run_unit(stage: Stage, index: Path, request: SampleRequest, make: Make) -> None:
    """Bring one unit up to date that is no sample, such as a model.

    It may take any time that its job has, and whatever it raises ends the job.
    """

    def make_alone(tasks: Sequence[Task]) -> Iterator[tuple[Task, Problem | None]]:
        for task in tasks:
            logger.info("%s: begins", request.sample)
            with named_in_log(request.sample):
                make(request, task.output, task.metadata)
            yield task, None

    run_shard_together(stage, index, [request], make_alone)


def run_shard_together(
    stage: Stage, index: Path, requests: Iterable[SampleRequest], make_all: MakeAll
) -> list[str]:
    """Bring a shard's samples up to date and write its index.

    A sample whose file is in the store under its key is linked, not made again. `SampleError` and
    `ModalityAbsent` become entries of the index; any other exception ends the job.

    Returns:
        Names of the samples that failed by what may pass (`PassingError`): to be tried again.
    """
    passing: list[str] = []
    entries: dict[str, Entry | None] = {}
    stale: dict[str, list[SampleRequest]] = {}  # by key: samples of equal content share a file
    tasks: list[Task] = []
    for request in requests:
        entries[request.sample] = entry = _upstream_problem(stage, request)
        if entry is None:
            task = _task(stage, request)
            sha256 = intact_digest(task.output)
            if sha256 is not None:
                entries[request.sample] = _link(stage, request, task.output, sha256)
            elif task.metadata["key"] not in stale:
                record_path(task.output).unlink(missing_ok=True)
                task.output.parent.mkdir(parents=True, exist_ok=True)
                tasks.append(task)
                stale[task.metadata["key"]] = [request]
            else:
                stale[task.metadata["key"]].append(request)
    made = 0
    _report(entries, stale)
    for task, problem in make_all(tasks):
        made += problem is None
        sha256 = "" if problem else write_record(task.output)
        for request in stale.pop(task.metadata["key"]):
            if isinstance(problem, PassingError):
                passing.append(request.sample)
            if problem:
                entry = _problem_entry(stage, problem)
                say = logger.warning if entry.status is Status.FAILED else logger.info
                say(PROBLEM, request.sample, entry.status, stage.name, problem)
            else:
                entry = _link(stage, request, task.output, sha256)
            entries[request.sample] = entry
        _report(entries, stale)
    if stale:
        raise ValueError(f"{stage.name}: nothing was said of files {sorted(stale)}")
    finished = {sample: entry for sample, entry in entries.items() if entry is not None}
    for sample, entry in finished.items():
        if entry.status is not Status.OK:
            stage.link_path(sample).unlink(missing_ok=True)
            if entry.stage != stage.name:  # whose job has warned of it
                logger.info(PROBLEM, sample, entry.status, entry.stage, entry.reason)
    taken = sum(entry.status is Status.OK for entry in finished.values()) - made
    logger.info("%s: %d made, %d taken from the store", stage.name, made, taken)
    write_index(index, finished)
    return passing


def _report(entries: Mapping[str, Any], stale: Mapping[str, Sequence[SampleRequest]]) -> None:
    """Report how many samples are done, where there is more than one."""
    if len(entries) > 1:
        report_progress(len(entries) - sum(map(len, stale.values())), len(entries), "samples")


def _upstream_problem(stage: Stage, request: SampleRequest) -> Entry | None:
    for status in (Status.FAILED,) if stage.takes_absent else (Status.FAILED, Status.ABSENT):
        for upstream in request.upstream.values():
            if upstream.status is status:
                return upstream
    return None


def _task(stage: Stage, request: SampleRequest) -> Task:
    inputs = {name: entry.sha256 for name, entry in request.upstream.items()}
    content = {"options": stage.options, "inputs": inputs, "sample": request.key}
    key = value_digest({"stage": stage.name, "code": stage.code, **content})
    metadata = {"stage": stage.name, "code": stage.code, "key": key, **content}
    return Task(request, stage.stored_path(key), metadata)


def _problem_entry(stage: Stage, problem: Problem) -> Entry:
    status = Status.ABSENT if isinstance(problem, ModalityAbsent) else Status.FAILED
    return Entry(status, stage=stage.name, reason=str(problem))


def _link(stage: Stage, request: SampleRequest, stored: Path, sha256: str) -> Entry:
    path = stage.link_path(request.sample)
    if not is_link(path, stored):
        link(path, stored)
    file = str(stored.relative_to(stage.results))
    return Entry(Status.OK, file=file, sha256=sha256, stage=stage.name)


def write_index(index: Path, entries: Mapping[str, Entry]) -> None:
    """Write a shard's index."""
    write_json(index, {name: vars(entry) for name, entry in entries.items()})


def read_index(index: Path) -> dict[str, Entry]:
    """Read a shard's index: sample to entry."""
    return {
        name: Entry(**{**value, "status": Status(value["status"])})
        for name, value in read_json(index).items()
    }


def index_files(results: Path) -> list[Path]:
    """All indexes below a results folder; not the temporary files that a killed job left."""
    found = (results / "index").rglob("*.json")
    return sorted(path for path in found if not path.name.startswith("."))


def entries_by_sample(indexes: Mapping[str, Path]) -> dict[str, dict[str, Entry]]:
    """Entries by sample and stage from the indexes of one shard in several stages."""
    read = {stage: read_index(path) for stage, path in indexes.items()}
    samples = sorted(set().union(*read.values())) if read else []
    return {s: {stage: entries[s] for stage, entries in read.items()} for s in samples}


def damaged_samples(results: Path, stage: str, index: Path) -> list[str]:
    """Samples whose file is not what the index says: deleted or altered by hand."""
    damaged = []
    for sample, entry in read_index(index).items():
        if entry.status is Status.OK:
            stored = results / entry.file
            path = results / stage / f"{sample}{stored.suffix}"
            if not is_link(path, stored) or intact_digest(stored) != entry.sha256:
                damaged.append(sample)
    return damaged


def clean_store(results: Path) -> int:
    """Remove the stored files that no index names; returns the bytes set free."""
    kept = {
        results / entry.file
        for index in index_files(results)
        for entry in read_index(index).values()
        if entry.file
    }
    freed = 0
    for path in sorted((results / "store").rglob("*")):
        if path.is_file() and path.suffix != ".json" and path not in kept:
            freed += path.stat().st_size
            record_path(path).unlink(missing_ok=True)
            path.unlink()
    return freed


def ok_files(indexes: Iterable[Path], results: Path) -> dict[str, Path]:
    """Files by sample, from the indexes of a stage; without samples that have none."""
    return {
        sample: results / entry.file
        for index in indexes
        for sample, entry in read_index(index).items()
        if entry.status is Status.OK
    }

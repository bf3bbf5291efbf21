"""What every result was made from: recorded beside the results, compared when the workflow starts.

A record names the digest of the job's request, and of each input and output. It decides alone what
is stale: Snakemake's own records and the dates of files may be lost, copied or absent.

Layout, below the results folder::

    records/<stage>/<unit>.json       one per job, written after its outputs
    records/request_changed           input of every stale job; newer than any result
    requests/<stage>/<unit>.json      the job's whole request, for `circumplex compare` alone

Imported while the workflow is parsed: standard library only.
"""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from circumplex.io.atomic import read_json, write_json, write_text
from circumplex.io.digests import file_digest, fingerprint, value_digest
from circumplex.pipeline.requests import Request
from circumplex.pipeline.store import damaged_samples, read_index

logger = logging.getLogger(__name__)
FOLDER = "records"
REQUESTS = "requests"
MARKER = "request_changed"
FORMAT = 1
"""Raised when records say other things than before: results are compared anew then."""
INDEX = "index"
WITH_MANIFEST = ("write_submission", "write_predictions", "make_player", "make_report")
"""Stages whose first output lists files that no rule declares."""


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        unit: what it is for: a shard, a run, an ensemble, ...; empty if its stage has one job.
        request: what it is asked for.
        inputs: results that it reads, relative to the results folder, by the rule's names.
        outputs: results that it writes, relative to the results folder.
        upstream: stage and unit of the jobs that write its inputs.
    """

    unit: str
    request: Request
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]
    upstream: tuple[tuple[str, str], ...] = ()

    @property
    def stage(self) -> str:
        """Name of the job's stage."""
        return self.request.stage

    @property
    def input_paths(self) -> list[str]:
        """All inputs, each once."""
        return list(dict.fromkeys(path for named in self.inputs.values() for path in named))


def record_file(results: Path, stage: str, unit: str) -> Path:
    """Where the record of a job lies."""
    return results / FOLDER / stage / f"{unit or 'all'}.json"


def request_file(results: Path, stage: str, unit: str) -> Path:
    """Where the request of a job lies."""
    return results / REQUESTS / stage / f"{unit or 'all'}.json"


def write_record(
    results: Path, job: Job, inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> None:
    """Record a finished job: its request, its inputs and its outputs by content.

    Args:
        results: folder of the run.
        job: the job.
        inputs: by path below the results folder, the file that was read: a node may have a copy.
        outputs: by path below the results folder, the file that was written.
    """
    record = {
        "format": FORMAT,
        "request": job.request.digest,
        "inputs": {path: content_digest(path, file) for path, file in inputs.items()},
        "outputs": {
            path: {"digest": content_digest(path, file), "fingerprint": fingerprint(file)}
            for path, file in outputs.items()
        },
    }
    write_json(request_file(results, job.stage, job.unit), asdict(job.request))
    write_json(record_file(results, job.stage, job.unit), record)


def remove_record(results: Path, job: Job) -> None:
    """Have a job run again at the next start."""
    record_file(results, job.stage, job.unit).unlink(missing_ok=True)


def content_digest(path: str, file: Path) -> str:
    """Digest of what a result says; of an index, of what its samples' files hold.

    An index also names files of the store, whose names change with the code that wrote them even
    where their content does not.

    Args:
        path: place below the results folder.
        file: the file there, or a copy of it.
    """
    if Path(path).parts[0] != INDEX:
        return file_digest(file)
    entries = read_index(file)
    return value_digest(
        {s: [e.status.value, e.sha256, e.stage, e.reason] for s, e in entries.items()}
    )


class Records:
    """The records of a results folder, and which jobs they show to be current.

    Args:
        results: folder of the run.
        job_of: gives the job of a stage and unit.
    """

    def __init__(self, results: Path, job_of: Callable[[str, str], Job]) -> None:
        self._results = results
        self._job_of = job_of
        self._settled: dict[tuple[str, str], bool] = {}
        self._current: dict[tuple[str, str], bool] = {}
        self._digests: dict[str, str | None] = {}
        self._recorded: dict[str, tuple[str, Any]] = {}  # digest and fingerprint by output

    @cached_property
    def marker(self) -> Path:
        """A file that is newer than every result of earlier runs, written when first needed."""
        path = self._results / FOLDER / MARKER
        # Other words each time: Snakemake takes a small file of the same content for unchanged.
        write_text(path, f"A stale job has this file as input. {secrets.token_hex(8)}\n")
        return path

    def is_settled(self, stage: str, unit: str) -> bool:
        """Whether a job and all before it are current, so that none of them has to run."""
        key = (stage, unit)
        if key not in self._settled:
            job = self._job_of(stage, unit)
            before = [self.is_settled(*earlier) for earlier in job.upstream]
            self._settled[key] = all(before) and self.is_current(job)
        return self._settled[key]

    def is_current(self, job: Job) -> bool:
        """Whether a job's outputs are what its request and the content of its inputs ask for."""
        key = (job.stage, job.unit)
        if key not in self._current:
            self._current[key] = self._compare(job)
        return self._current[key]

    def _compare(self, job: Job) -> bool:
        try:
            record = read_json(record_file(self._results, job.stage, job.unit))
            outputs = record["outputs"].items()
            # Whole or not at all: a damaged record must not make another job's look damaged.
            self._recorded |= {path: (o["digest"], o["fingerprint"]) for path, o in outputs}
            current = (
                record["format"] == FORMAT
                and record["request"] == job.request.digest
                and record["outputs"].keys() == set(job.outputs)
                and record["inputs"] == {path: self._digest(path) for path in job.input_paths}
                and all(self._digest(path) == output["digest"] for path, output in outputs)
                and not self._find_damage(job)
            )
            if current:
                self._renew(job, record)
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            logger.warning("%s %s: its record is damaged; it runs again", job.stage, job.unit)
            return False
        return current

    def _renew(self, job: Job, record: Mapping[str, Any]) -> None:
        """Bring fingerprints up to date where files were copied or touched: they are read once."""
        now = {path: fingerprint(self._results / path) for path in job.outputs}
        outputs = {
            path: {**output, "fingerprint": now[path]} for path, output in record["outputs"].items()
        }
        if outputs != record["outputs"]:
            file = record_file(self._results, job.stage, job.unit)
            with suppress(OSError):  # results that may only be read are hashed at each start
                write_json(file, {**record, "outputs": outputs})

    def _digest(self, path: str) -> str | None:
        """Content digest of a result, by its record if it stands unchanged; none if missing."""
        if path not in self._digests:
            self._digests[path] = self._read_digest(path)
        return self._digests[path]

    def _read_digest(self, path: str) -> str | None:
        file = self._results / path
        if not file.is_file():
            return None
        digest, recorded = self._recorded.get(path, ("", None))
        if recorded == fingerprint(file):
            return digest
        try:
            return content_digest(path, file)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # altered by hand

    def _find_damage(self, job: Job) -> Sequence[str]:
        """Files that a job wrote beside its outputs and that are missing or altered."""
        damaged: list[str] = []
        for path in job.outputs:
            if Path(path).parts[0] == INDEX:
                damaged += damaged_samples(self._results, job.stage, self._results / path)
        if job.stage in WITH_MANIFEST:
            damaged += altered_files(self._results, self._results / job.outputs[0])
        if damaged:
            names = ", ".join(damaged)
            logger.warning("%s: missing or altered, computed again: %s", job.stage, names)
        return damaged


def altered_files(results: Path, manifest: Path) -> list[str]:
    """Files of a folder that are not those that its manifest names.

    Large files are known by their size alone: they are copies of what the store checks. A folder
    that is shared may hold files of other people, which are left alone.
    """
    listed = read_json(manifest)
    folder = results / listed["folder"]
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    known = listed["files"] | listed.get("large_files", {})
    strangers = set() if listed.get("shared") else there.keys() - known.keys()
    altered = {n for n in known.keys() & there.keys() if _state(there[n], known[n]) != known[n]}
    return sorted(strangers | altered | (known.keys() - there.keys()))


def _state(path: Path, known: str | int) -> str | int:
    return path.stat().st_size if isinstance(known, int) else file_digest(path)

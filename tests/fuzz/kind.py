"""A kind of files that strangers hand over: valid seeds, damage, and the code that reads them."""

import runpy
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from circumplex.media.timeline import write_timeline
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.records import Job
from circumplex.pipeline.requests import ShardRequest
from circumplex.pipeline.store import Entry, Status, read_index, write_index
from example_requests import (
    builder_of,
    request_config,
    write_sheet,
)
from places import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
SHARD = "000-of-001"
FRAMES = 40
SECRET = b"the content of a file that no input may reveal 5e1f"


class Kind(ABC):
    """A kind of input.

    Attributes:
        name: of the kind.
        time_limit_s: for one input.
    """

    name: ClassVar[str]
    time_limit_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path) -> None:
        """Write the seeds into a folder."""
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        self.secret = self.folder / "secret"
        self.secret.write_bytes(SECRET * 40)
        self.seeds = self.make_seeds()

    @abstractmethod
    def make_seeds(self) -> Sequence[Path]:
        """Write valid files."""

    @abstractmethod
    def write_bad(self, rng: Random, work: Path) -> Path:
        """Write a damaged file into a folder."""

    @abstractmethod
    def consume(self, bad: Path, work: Path) -> str:
        """Read the file as a run does; runs in a process of its own.

        Returns:
            ``accepted``, or the reason why it was refused.
        """

    def find_faults(self, work: Path) -> list[str]:  # noqa: ARG002 - a hook of kinds of samples
        """What is wrong with the results that are left."""
        return []


class SampleKind(Kind):
    """A kind of per-sample files: its stages run on a shard with a bad and a good sample."""

    @abstractmethod
    def run_stages(self, bad: Path, results: Path) -> None:
        """Run the stages that read the file, and write their indexes into the results."""

    @abstractmethod
    def good_file(self) -> Path:
        """The file of the good sample."""

    def consume(self, bad: Path, work: Path) -> str:
        """See `Kind.consume`."""
        self.run_stages(bad, work / "results")
        entries = [entries["bad"] for entries in read_indexes(work).values()]
        reasons = [entry.reason for entry in entries if entry.status is Status.FAILED]
        return reasons[0] if reasons else "accepted"

    @property
    @cache  # noqa: B019 - kinds live as long as the process
    def expected(self) -> Mapping[str, str]:
        """Digest by stage of the good sample's results beside a good one."""
        work = self.folder / "expected"
        self.run_stages(self.good_file(), work / "results")
        digests = good_digests(work)
        assert all(digests.values()), f"a good file of kind {self.name} fails: {read_indexes(work)}"
        return digests

    def find_faults(self, work: Path) -> list[str]:
        """See `Kind.find_faults`."""
        faults = []
        if good_digests(work) != self.expected:
            faults.append("lost: the good sample's results are missing or differ")
        for path in (work / "results").rglob("*"):
            if path.is_file() and SECRET in path.read_bytes():
                faults.append(f"leak: {path.relative_to(work)} has the content of another file")
        return faults


def read_indexes(work: Path) -> dict[str, dict[str, Entry]]:
    """Entries by stage of all indexes that a shard's stages wrote."""
    paths = sorted((work / "results" / "index").glob(f"*/{SHARD}.json"))
    return {path.parent.name: read_index(path) for path in paths}


def good_digests(work: Path) -> dict[str, str]:
    """Digest by stage of the good sample's results."""
    entries = {stage: entries.get("good") for stage, entries in read_indexes(work).items()}
    return {stage: entry.sha256 if entry else "" for stage, entry in entries.items()}


def run_stage(
    results: Path,
    stage: str,
    script: Callable[[ShardJob], None],
    *,
    sheet: Path | None = None,
    before: Sequence[str] = (),
    suffix: str = ".parquet",
    options: Mapping[str, Any] | None = None,
    **request: str,
) -> None:
    """Run a stage's script on the samples ``bad`` and ``good``, as its rule does."""
    keys = {name: {"file": name} for name in ("bad", "good")}
    asked = ShardRequest(stage, "code", options or {}, keys, **request)
    indexes = {name: (f"index/{name}/{SHARD}.json",) for name in before}
    output = f"index/{stage}/{SHARD}.json"
    job = RunningJob(
        Job(SHARD, asked, indexes, (output,)),
        results,
        {name: [results / path for path in paths] for name, paths in indexes.items()}
        | ({"sheet": [sheet]} if sheet else {}),
        {"index": [results / output]},
        threads=1,
        resources={},
    )
    script(ShardJob.of(job, suffix=suffix))


@cache
def stage_options(stage: str) -> Mapping[str, Any]:
    """Options of a stage of per-sample files, as a run of the shipped config has them."""
    with tempfile.TemporaryDirectory() as folder:
        builder = builder_of(request_config(Path(folder)), Path(folder))
        request = builder.request(stage, next(iter(builder.plan.shards)))
    assert isinstance(request, ShardRequest)
    return request.options


@cache
def script_of(name: str) -> Callable[[ShardJob], None]:
    """The function ``main`` of a rule's script."""
    main: Callable[[ShardJob], None] = runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"]
    return main


def write_rows(folder: Path, column: str, bad: Path, good: Path) -> Path:
    """Write a sheet in which a column names a file of each sample."""
    rows = [
        {"sample": name, "video": str(good), column: str(path), "split": "predict"}
        for name, path in (("bad", bad), ("good", good))
    ]
    return write_sheet(folder / "samples.tsv", rows)


def write_timelines(results: Path, frames: int = FRAMES) -> None:
    """Write tables of frames of both samples, as the stage before would have."""
    entries = {}
    for name in ("bad", "good"):
        place = f"extract_frames/{name}.parquet"
        write_timeline(frames, results / place, fps=25.0, metadata={})
        entries[name] = Entry(Status.OK, place, "0", "extract_frames")
    write_index(results / "index" / "extract_frames" / f"{SHARD}.json", entries)

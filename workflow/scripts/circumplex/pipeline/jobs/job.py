"""A job under Snakemake: its log, its request, its files, and its record when it has ended well."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circumplex.pipeline import records
from circumplex.pipeline.jobs.gpus import device_of
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.requests import Request

if TYPE_CHECKING:
    from snakemake.script import Snakemake


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningJob:
    """What a script needs of its job.

    Attributes:
        job: the job, as the workflow's graph describes it.
        results: the run's results folder, which all nodes share. Inputs and outputs may be copies
            on a disk of the node (docs/clusters.md, storage); the store, and what else no rule
            declares, lies beside the originals.
        inputs: files to read, by the rule's names.
        outputs: files to write, by the rule's names.
        threads: cores of the job.
        resources: Snakemake's resources.
        unfinished: samples that the next run must try again.
    """

    job: records.Job
    results: Path
    inputs: dict[str, list[Path]]
    outputs: dict[str, list[Path]]
    threads: int
    resources: Any
    unfinished: list[str] = field(default_factory=list)

    @property
    def request(self) -> Any:
        """The request, of the type of the job's stage."""
        return self.job.request

    def input(self, name: str) -> Path:
        """The only file of an input."""
        (path,) = self.inputs[name]
        return path

    def output(self, name: str) -> Path:
        """The only file of an output."""
        (path,) = self.outputs[name]
        return path

    def take_device(self) -> str:
        """PyTorch's name of the job's device: ``cpu``, or a GPU that it waits for and holds."""
        return device_of(self.resources)

    def try_again(self, samples: Sequence[str]) -> None:
        """Have the next run make samples that failed by something that may pass by itself."""
        self.unfinished.extend(samples)

    def record(self) -> None:
        """Record the job as done, unless the next run must try samples again."""
        if self.unfinished:
            names = ", ".join(self.unfinished)
            logger.warning("not recorded as done: the next run tries %s again", names)
            records.remove_record(self.results, self.job)
            return
        read = {
            path: file
            for name, paths in self.job.inputs.items()
            if paths  # an input of this name may be the user's file, which the request has
            for path, file in zip(paths, self.inputs[name], strict=True)
        }
        written = [file for files in self.outputs.values() for file in files]
        outputs = dict(zip(self.job.outputs, written, strict=True))
        records.write_record(self.results, self.job, read, outputs)


@contextmanager
def running(snakemake: "Snakemake") -> Iterator[RunningJob]:
    """Set up a script's log and read its job; record the job when the block ends well."""
    job: records.Job = snakemake.params.job
    request: Request = job.request
    log = snakemake.log[0]
    set_up(log, request.stage, snakemake.resources)
    current = RunningJob(
        job=job,
        results=Path(snakemake.config["results"]),
        inputs={
            **{name: [] for name in job.inputs},
            **{name: as_paths(files) for name, files in snakemake.input.items()},
        },
        outputs={name: as_paths(files) for name, files in snakemake.output.items()},
        threads=snakemake.threads,
        resources=snakemake.resources,
    )
    yield current
    current.record()


def as_paths(files: Any) -> list[Path]:
    """Files of one of Snakemake's names, which holds one path or several."""
    return [Path(files)] if isinstance(files, str) else [Path(file) for file in files]

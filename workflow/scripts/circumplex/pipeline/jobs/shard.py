"""The job of a stage of per-sample files, for one shard."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circumplex.config.samples import Sample, read_samples
from circumplex.config.weights import TRAINED, WEIGHT_KEYS
from circumplex.errors import SampleError
from circumplex.io.digests import MISSING, file_digest
from circumplex.io.files import why_no_file
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.requests import ShardRequest
from circumplex.pipeline.resources import sample_limit_s
from circumplex.pipeline.store import (
    Entry,
    Make,
    MakeAll,
    SampleRequest,
    Stage,
    entries_by_sample,
    run_shard,
    run_shard_together,
)


@dataclass(frozen=True)
class ShardJob:
    """The job of one stage for one shard.

    Attributes:
        running: the job.
        stage: code, options and place of the stage.
        sheet: rows by sample, for stages that read files of the sheet.
        weights: by option, the file or folder of the extractor's weights, where it has any.
    """

    running: RunningJob
    stage: Stage
    sheet: Mapping[str, Sample]
    weights: Mapping[str, Path]

    @classmethod
    def of(
        cls, running: RunningJob, suffix: str = ".parquet", *, takes_absent: bool = False
    ) -> "ShardJob":
        """The shard's job; see `Stage` for ``suffix`` and ``takes_absent``."""
        request: ShardRequest = running.request
        sheet = running.inputs.get("sheet")
        weights = {key: running.inputs[key][0] for key in WEIGHT_KEYS if running.inputs.get(key)}
        return cls(
            running=running,
            stage=Stage(
                name=request.stage,
                results=running.results,
                code=request.code,
                options=_with_trained_weights(request.options, weights),
                suffix=suffix,
                takes_absent=takes_absent,
            ),
            sheet={s.sample: s for s in read_samples(sheet[0])} if sheet else {},
            weights=weights,
        )

    @property
    def request(self) -> ShardRequest:
        """What the job is asked for."""
        request: ShardRequest = self.running.request
        return request

    @property
    def threads(self) -> int:
        """Cores of the job."""
        return self.running.threads

    def run(self, make: Make) -> None:
        """Bring the shard up to date, sample by sample, and write the index."""

        def make_checked(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
            self._check_reading(request)
            make(request, output, metadata)

        index = self.running.output("index")
        passing = run_shard(self.stage, index, self._requests(), make_checked)
        self.running.try_again(passing)

    def run_together(self, make_all: MakeAll) -> None:
        """Bring the shard's samples up to date together, and write the index."""
        index = self.running.output("index")
        passing = run_shard_together(self.stage, index, self._requests(), make_all)
        self.running.try_again(passing)

    def _requests(self) -> list[SampleRequest]:
        indexes = {
            name: self.running.inputs[name][0]
            for name in self.running.job.inputs
            if name not in WEIGHT_KEYS
        }
        upstream = entries_by_sample(indexes)
        keys = self.request.samples
        return [
            self._request(sample, keys.get(sample, {}), upstream.get(sample, {}))
            for sample in sorted(keys or upstream)
        ]

    def _check_reading(self, request: SampleRequest) -> None:
        """Read what could not be read when the run started: libraries take it for the file's end.

        Raises:
            SampleError: a file breaks off in the middle, by a disk that is ill, say.
        """
        row = self.sheet.get(request.sample)
        for column, digest in request.key.items():
            path = getattr(row, column, None)
            if not (isinstance(path, Path) and str(digest).startswith(MISSING)):
                continue
            if why_no_file(path) is None:  # else the stage says what it is
                try:
                    file_digest(path)
                except OSError as error:
                    raise SampleError(
                        f"{path} cannot be read to its end: {error.strerror}; copy it from "
                        "another place, or look after the disk"
                    ) from error

    def _request(
        self, sample: str, key: Mapping[str, Any], upstream: Mapping[str, Entry]
    ) -> SampleRequest:
        row = self.sheet.get(sample)
        cells = [getattr(row, column, None) for column in key]
        files = [str(cell) for cell in cells if isinstance(cell, Path)]
        if not files and self.request.source:
            files = [self.request.source]
        limit_s = sample_limit_s(self.stage.name, map(Path, files), self.threads)
        return SampleRequest(sample, key, upstream, files, limit_s)

    def extractor_options(self) -> dict[str, Any]:
        """The stage's options, with the files of its weights in place of their digests."""
        return {**self.stage.options, **{key: str(path) for key, path in self.weights.items()}}

    def path(self, entry: Entry) -> Path:
        """Path of an earlier stage's file."""
        return self.stage.results / entry.file


def _with_trained_weights(
    options: Mapping[str, Any], weights: Mapping[str, Path]
) -> dict[str, Any]:
    """Options in which weights that this run trains are given by content, as any file's.

    A training that ends in the same bytes makes nothing stale then, whatever made it run again.
    """
    trained = [key for key in weights if str(options.get(key, "")).startswith(TRAINED)]
    return {**options, **{key: f"sha256:{file_digest(weights[key])}" for key in trained}}

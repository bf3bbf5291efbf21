"""What a script under Snakemake shares with the others: logging, and a shard's requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circumplex.config.samples import Sample, read_samples
from circumplex.config.weights import TRAINED, WEIGHT_KEYS
from circumplex.io.digests import file_digest
from circumplex.pipeline.jobs.gpus import device_of
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.store import (
    Entry,
    Make,
    MakeAll,
    Request,
    Stage,
    joined,
    run_shard,
    run_shard_together,
)

if TYPE_CHECKING:
    from snakemake.script import Snakemake


@dataclass(frozen=True)
class ShardJob:
    """The job of one stage for one shard.

    Attributes:
        stage: code, options and place of the stage.
        index: to write.
        keys: by sample, the content that the stage reads itself; empty if it reads none.
        sheet: rows by sample, for stages that read files of the sheet.
        indexes: of the stages before, by stage.
        weights: by option, the file or folder of the extractor's weights, where it has any.
        device: a GPU of its own where the job was given one, else ``cpu``.
        threads: cores of the job.
    """

    stage: Stage
    index: Path
    keys: Mapping[str, Any]
    sheet: Mapping[str, Sample]
    indexes: Mapping[str, Path]
    weights: Mapping[str, Path]
    device: str
    threads: int

    @classmethod
    def start(
        cls, snakemake: "Snakemake", suffix: str = ".parquet", *, takes_absent: bool = False
    ) -> "ShardJob":
        """Set up logging and read the job's description; see `Stage` for the rest."""
        tracked = snakemake.params.stage
        set_up(snakemake.log[0], tracked["name"], snakemake.resources)
        index = Path(snakemake.output[0])
        named = dict(snakemake.input.items())
        sheet = named.pop("sheet", None)
        named_weights = {key: named.pop(key, None) for key in WEIGHT_KEYS}
        weights = {key: Path(str(path)) for key, path in named_weights.items() if path}
        return cls(
            stage=Stage(
                name=tracked["name"],
                results=results_of(snakemake),
                code=tracked["code"],
                options=_by_content(tracked["options"], weights),
                suffix=suffix,
                takes_absent=takes_absent,
            ),
            index=index,
            keys=tracked.get("samples", {}),
            sheet={s.sample: s for s in read_samples(Path(sheet))} if sheet else {},
            indexes={name: Path(path) for name, path in named.items() if path},
            weights=weights,
            device=device_of(snakemake.resources),
            threads=snakemake.threads,
        )

    def run(self, make: Make) -> None:
        """Make what is stale of the shard, sample by sample, and write the index."""
        run_shard(self.stage, self.index, self._requests(), make)

    def run_together(self, make_all: MakeAll) -> None:
        """Make what is stale of the shard's samples in one go, and write the index."""
        run_shard_together(self.stage, self.index, self._requests(), make_all)

    def _requests(self) -> list[Request]:
        upstream = joined(self.indexes)
        return [
            Request(sample=sample, key=self.keys.get(sample, {}), upstream=upstream.get(sample, {}))
            for sample in sorted(set(self.keys) | set(upstream))
        ]

    def extractor_options(self) -> dict[str, Any]:
        """The stage's options, with the files of its weights in place of their digests."""
        return {**self.stage.options, **{key: str(path) for key, path in self.weights.items()}}

    def path(self, entry: Entry) -> Path:
        """Path of an earlier stage's file."""
        return self.stage.results / entry.file


def _by_content(options: Mapping[str, Any], weights: Mapping[str, Path]) -> dict[str, Any]:
    """Options in which weights that this run trains are named by their content, as any file's.

    A training that ends in the same bytes makes nothing stale then, whatever made it run again.
    """
    trained = [key for key in weights if str(options.get(key, "")).startswith(TRAINED)]
    return {**options, **{key: f"sha256:{file_digest(weights[key])}" for key in trained}}


def results_of(snakemake: "Snakemake") -> Path:
    """The run's results folder, which all nodes share.

    Inputs and outputs of a job may be copies on a disk of its node (docs/clusters.md, storage);
    the store, and what else no rule declares, lies beside the originals.
    """
    return Path(snakemake.config["results"])

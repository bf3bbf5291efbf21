"""This script copies an ensemble's models into one folder that predicts new videos."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.io.parquet import read_metadata
from circumplex.pipeline.exports import write_export
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import read_index

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the folder; `export: <folder>` in a config predicts with it.

    What was chosen or fitted on held-out annotations goes along: there will be none to repeat it.
    """
    set_up(snakemake.log[0], "export_ensemble", snakemake.resources)
    tracked = snakemake.params.stage
    results = results_of(snakemake)
    models = {}
    for run, index in zip(tracked["runs"], snakemake.input.models, strict=True):
        (entry,) = read_index(Path(index)).values()
        models[run] = results / entry.file
    description = dict(tracked["description"])
    if snakemake.input.smoothed:
        chosen = [read_metadata(Path(path))["smoothing"] for path in snakemake.input.smoothed]
        description["windows"] = dict(zip(tracked["runs"], chosen, strict=True))
    if snakemake.input.fitted:
        description["combination"] = read_metadata(Path(snakemake.input.fitted))["combination"]
    weights = dict(zip(tracked["trained"], map(Path, snakemake.input.weights), strict=True))
    write_export(Path(snakemake.output[0]).parent, description, models, weights)


if __name__ == "__main__":
    main(snakemake)

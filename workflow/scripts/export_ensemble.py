"""This script copies an ensemble's models into one folder that predicts new videos."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.exports import write_export
from circumplex.logs import set_up
from circumplex.store import read_index

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the folder; `export: <folder>` in a config predicts with it."""
    set_up(snakemake.log[0], "export_ensemble")
    tracked = snakemake.params.stage
    output = Path(snakemake.output[0])
    results = output.parents[2]
    models = {}
    for run, index in zip(tracked["runs"], snakemake.input.models, strict=True):
        (entry,) = read_index(Path(index)).values()
        models[run] = results / entry.file
    write_export(output.parent, tracked["description"], models)


if __name__ == "__main__":
    main(snakemake)

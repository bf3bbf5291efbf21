"""This script traces every number of the run's tables to checkpoint, seed, features and weights."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from circumplex.io.atomic import read_json, write_json
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.manifest import score_numbers, trained

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Join what the CCC table and each table of the paper say of their numbers."""
    set_up(snakemake.log[0], "make_manifest", snakemake.resources)
    numbers = score_numbers(pq.read_table(snakemake.input.ccc).to_pylist())
    for table in snakemake.input.tables:
        numbers += read_json(Path(table))["numbers"]
    trace = trained(snakemake.params.stage["trace"], snakemake.input.models)
    write_json(Path(snakemake.output[0]), {"numbers": numbers, **trace})


if __name__ == "__main__":
    main(snakemake)

"""This script makes the table of a set of still images that a backbone is trained on."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.backbones.listing import list_stills
from circumplex.backbones.sets.registry import make_reader
from circumplex.io.atomic import write_json
from circumplex.pipeline.jobs.logs import set_up

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the table and what is in it."""
    set_up(snakemake.log[0], "list_stills", snakemake.resources)
    tracked = snakemake.params.stage
    options = dict(tracked["options"])
    reader = make_reader(options.pop("kind"), options)
    description = reader.describe(tracked["name"])
    summary = list_stills(
        reader,
        replace(description, code=tracked["code"], input=tracked["input"]),
        Path(snakemake.output.table),
        drop_duplicates=tracked["drop_duplicates"],
        threads=snakemake.threads,
    )
    write_json(Path(snakemake.output.summary), summary)


if __name__ == "__main__":
    main(snakemake)

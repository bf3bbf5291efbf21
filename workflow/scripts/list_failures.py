"""This script lists the samples that failed, with the stage and the reason."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.io.atomic import replacing
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.store import Status, read_index

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write a row for each sample and the first stage that it failed in."""
    set_up(snakemake.log[0], "list_failures", snakemake.resources)
    failures: dict[str, dict[str, str]] = {}
    for index in snakemake.input:
        for sample, entry in read_index(Path(index)).items():
            if entry.status is Status.FAILED:
                failures.setdefault(sample, {})[entry.stage] = entry.reason
    with (
        replacing(Path(snakemake.output[0])) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["sample", "stage", "reason"])
        for sample, stages in sorted(failures.items()):
            writer.writerows([sample, stage, reason] for stage, reason in stages.items())


if __name__ == "__main__":
    main(snakemake)

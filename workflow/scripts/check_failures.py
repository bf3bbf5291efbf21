"""This script ends the run: names what was made, and fails if any sample failed."""

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.io.atomic import read_json, write_text
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> int:
    """Print where the results are and the table of failed samples.

    Returns:
        1 if a sample failed that is not excluded, else 0.
    """
    set_up(snakemake.log[0], "check_failures", snakemake.resources)
    lines = []
    random_weights = snakemake.params.stage["random_weights"]
    if random_weights:
        named = ", ".join(f"{name} ({weights})" for name, weights in random_weights.items())
        lines.append(f"SEEDED RANDOM WEIGHTS, not published ones: {named}")
    for manifest in snakemake.input.submissions:
        submission = read_json(Path(manifest))
        folder = results_of(snakemake) / submission["folder"]
        lines.append(f"submission: {folder} ({len(submission['files'])} files)")
    lines.append(f"CCC table:  {snakemake.input.ccc}")
    lines.append(f"report:     {snakemake.input.report}")
    with Path(snakemake.input.failures).open(encoding="utf-8", newline="") as file:
        failures = list(csv.DictReader(file, delimiter="\t"))
    text = "\n".join(lines) + "\n"
    print(f"\n{text}", file=sys.stderr)
    if failures:
        samples = {row["sample"] for row in failures}
        print(f"{len(samples)} of the samples failed; all others went to the end:", file=sys.stderr)
        for row in failures:
            print(f"  {row['sample']}: {row['stage']}: {row['reason']}", file=sys.stderr)
        print("Mend them, or name them under exclude: in the config.\n", file=sys.stderr)
        return 1
    write_text(Path(snakemake.output[0]), text)
    return 0


if __name__ == "__main__":
    sys.exit(main(snakemake))

"""This script writes a search's trials, the best first, and the best one as a preset."""

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from circumplex.config.search import preset
from circumplex.io.atomic import write_text
from circumplex.io.markdown import markdown_table
from circumplex.pipeline.jobs.logs import set_up
from circumplex.training.search import read_trials, rows

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write CSV, Markdown and the preset."""
    set_up(snakemake.log[0], "summarise_search")
    search = snakemake.params.stage["search"]
    trials = read_trials(
        [Path(path) for path in snakemake.input.rounds],
        [Path(path) for path in snakemake.input.epochs],
    )
    table = rows(trials, search["space"])
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(Path(snakemake.output.csv), text.getvalue())
    cells = [[_cell(value) for value in row.values()] for row in table]
    said = "CCC on the validation samples, raw predictions, at each target's best epoch."
    body = "\n".join(markdown_table(list(table[0]), cells))
    write_text(Path(snakemake.output.markdown), f"{said}\n\n{body}\n")
    best = trials[table[0]["trial"]]
    if math.isnan(best.score):
        raise ValueError("no trial came to a score: narrow the learning rates")
    found = preset(search, best.parameters)
    head_line = f"# Trial {best.number} of the search, the best of {len(trials)} on validation.\n"
    write_text(Path(snakemake.output.best), head_line + yaml.safe_dump(found, sort_keys=False))


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(snakemake)

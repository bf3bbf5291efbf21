"""This script writes one table of the paper: this run's CCC beside the published one."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.evaluation.paper_tables import (
    Unit,
    make_lines,
    write_csv,
    write_html,
    write_markdown,
    write_notes,
)
from circumplex.evaluation.scores import CccRow, score
from circumplex.io.atomic import write_json
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.manifest import table_numbers, trained
from circumplex.pipeline.store import labels_tables
from circumplex.predictions.table import PredictionTable

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Score the table's models and ensembles and write CSV, Markdown, HTML and the manifest."""
    set_up(snakemake.log[0], "make_table", snakemake.resources)
    tracked = snakemake.params.stage
    output = {name: Path(path) for name, path in snakemake.output.items()}
    labels = labels_tables(snakemake.input.read_labels, results_of(snakemake))
    trace = tracked["trace"]
    paths = {
        ("model", run): Path(path)
        for run, path in zip(trace["models"], snakemake.input.smoothed, strict=True)
    } | {
        ("ensemble", name): Path(path)
        for name, path in zip(trace["ensembles"], snakemake.input.ensembles, strict=True)
    }

    def score_unit(unit: Unit, split: str) -> list[CccRow]:
        table = PredictionTable(paths[unit.kind, unit.name])
        return score(table, unit.name, split, labels, tracked["splits"])

    lines = make_lines(tracked["rows"], tracked["split"], score_unit)
    name, title, targets = tracked["name"], tracked["title"], tracked["targets"]
    said = write_notes(tracked["split"], tracked["random_weights"])
    write_csv(output["csv"], name, targets, lines)
    write_markdown(output["markdown"], title, targets, lines, said)
    write_html(output["html"], title, targets, lines, said)
    numbers = table_numbers(name, lines)
    write_json(output["manifest"], {"numbers": numbers, **trained(trace, snakemake.input.models)})


if __name__ == "__main__":
    main(snakemake)

"""This script writes one of the paper's tables: our numbers beside the published ones."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.evaluation import CccRow
from circumplex.files import write_json
from circumplex.logs import set_up
from circumplex.manifest import table_numbers, trained
from circumplex.prediction_tables import PredictionTable
from circumplex.scores import labels_tables, score
from circumplex.store import results_of
from circumplex.tables import Unit, make_lines, notes, write_csv, write_html, write_markdown

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
    said = notes(tracked["split"], tracked["random_weights"])
    write_csv(output["csv"], name, targets, lines)
    write_markdown(output["markdown"], title, targets, lines, said)
    write_html(output["html"], title, targets, lines, said)
    numbers = table_numbers(name, lines)
    write_json(output["manifest"], {"numbers": numbers, **trained(trace, snakemake.input.models)})


if __name__ == "__main__":
    main(snakemake)

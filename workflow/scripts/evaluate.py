"""This script scores models and ensembles on the annotated samples they were not trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.evaluation.ccc_table import CccTable
from circumplex.evaluation.scores import score
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import labels_tables
from circumplex.predictions.table import PredictionTable

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the CCC table as Parquet, CSV and Markdown.

    A model is scored on split val, under k-fold on the fold it left out, and on split test where
    that is annotated. An ensemble of k-fold models alone is also scored on all samples, each
    predicted by the fold that left it out.
    """
    set_up(snakemake.log[0], "evaluate", snakemake.resources)
    tracked = snakemake.params.stage
    output = Path(snakemake.output.table)
    labels = labels_tables(snakemake.input.read_labels, results_of(snakemake))
    rows = CccTable()
    for path, name in zip(snakemake.input.ensembles, tracked["ensembles"], strict=True):
        table = PredictionTable(Path(path))
        kfold = tracked["ensembles"][name] == ["kfold"]
        for split in ("val", "test", *(["out of fold"] if kfold else [])):
            rows.add(score(table, name, split, labels, tracked["splits"]), kind="ensemble")
    for path, run in zip(snakemake.input.smoothed, tracked["runs"], strict=True):
        experiment, fold, seed, strategy = run
        table = PredictionTable(Path(path))
        name = f"{experiment}/{fold}/seed{seed}"
        for split in (fold if strategy == "kfold" else "val", "test"):
            scores = score(table, name, split, labels, tracked["splits"])
            rows.add(scores, kind="model", experiment=experiment, fold=fold, seed=seed)
    rows.write(output, Path(snakemake.output.csv), Path(snakemake.output.markdown))


if __name__ == "__main__":
    main(snakemake)

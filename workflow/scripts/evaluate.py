"""This script scores models and ensembles on the annotated samples they were not trained on."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circumplex.ccc_table import CccTable
from circumplex.dataset import read_labels_table
from circumplex.logs import set_up
from circumplex.prediction_tables import PredictionTable
from circumplex.store import Status, read_index

if TYPE_CHECKING:
    from snakemake.script import Snakemake

Pairs = Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]


def main(snakemake: "Snakemake") -> None:
    """Write the CCC table as Parquet, CSV and Markdown.

    A model is scored on split val, under k-fold on the fold it left out, and on split test where
    that is annotated. An ensemble of k-fold models alone is also scored on all samples, each
    predicted by the fold that left it out.
    """
    set_up(snakemake.log[0], "evaluate")
    tracked = snakemake.params.stage
    output = Path(snakemake.output.table)
    results = output.parents[1]
    labels = {
        sample: results / entry.file
        for index in snakemake.input.read_labels
        for sample, entry in read_index(Path(index)).items()
        if entry.status is Status.OK
    }
    splits = tracked["splits"]

    def pairs(table: PredictionTable, samples: list[str]) -> Pairs:
        for sample in samples:
            yield table.values(sample), read_labels_table(labels[sample])

    rows = CccTable()

    def score(table: PredictionTable, name: str, wanted: set[str], **keys: object) -> None:
        scored = [s for s in table.samples if s in labels and splits.get(s) in wanted]
        if scored:
            rows.add(pairs(table, scored), split=name, **keys)

    for path, name in zip(snakemake.input.ensembles, tracked["ensembles"], strict=True):
        table = PredictionTable(Path(path))
        score(table, "val", {"val"}, kind="ensemble", model=name)
        score(table, "test", {"test"}, kind="ensemble", model=name)
        if tracked["ensembles"][name] == ["kfold"]:
            score(table, "out of fold", {"train", "val"}, kind="ensemble", model=name)
    for path, run in zip(snakemake.input.smoothed, tracked["runs"], strict=True):
        experiment, fold, seed, strategy = run
        table = PredictionTable(Path(path))
        keys = {"kind": "model", "experiment": experiment, "fold": fold, "seed": seed}
        keys["model"] = f"{experiment}/{fold}/seed{seed}"
        if strategy == "kfold":
            score(table, fold, {"train", "val"}, **keys)
        else:
            score(table, "val", {"val"}, **keys)
        score(table, "test", {"test"}, **keys)
    rows.write(output, Path(snakemake.output.csv), Path(snakemake.output.markdown))


if __name__ == "__main__":
    main(snakemake)

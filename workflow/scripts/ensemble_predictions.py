"""This script combines the smoothed predictions of an ensemble's models, target by target."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import labels_tables
from circumplex.predictions.ensembles import Member, Method, TargetEnsemble
from circumplex.predictions.table import TARGET_COLUMNS, PredictionTable, PredictionWriter

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the ensemble of every sample that a model of each member predicted.

    A model predicts what it was not trained on: under k-fold, a validation sample has predictions
    of one fold's models alone, a test sample of all.
    """
    set_up(snakemake.log[0], "ensemble_predictions", snakemake.resources)
    tracked = snakemake.params.stage
    output = Path(snakemake.output[0])
    labels = labels_tables(snakemake.input.read_labels, results_of(snakemake))
    fitted_on = {sample: labels[sample] for sample in tracked["fitted_on"] if sample in labels}
    ensembles = []
    for column, target in enumerate(TARGET_COLUMNS):
        described = zip(tracked["members"][target], snakemake.input[target], strict=True)
        members = [Member(e, fold, PredictionTable(Path(path))) for (e, fold), path in described]
        ensembles.append(
            TargetEnsemble(
                column,
                tuple(members),
                Method(tracked["method"]),
                tracked["alpha"],
                fitted_on,
                tracked["combination"].get(target),
            )
        )
    tables = [member.table for ensemble in ensembles for member in ensemble.members]
    fitted = {t: e.record() for t, e in zip(TARGET_COLUMNS, ensembles, strict=True)}
    metadata = {
        "stage": "ensemble_predictions",
        "members": tracked["members"],
        "method": tracked["method"],
        "combination": {target: record for target, record in fitted.items() if record},
    }
    with PredictionWriter(output, metadata) as writer:
        for sample in sorted({sample for table in tables for sample in table.samples}):
            columns = [ensemble.predict(sample) for ensemble in ensembles]
            if all(column is not None for column in columns):
                time_s = next(table for table in tables if sample in table).time_s(sample)
                writer.write(sample, time_s, np.stack(columns, axis=1))


if __name__ == "__main__":
    main(snakemake)

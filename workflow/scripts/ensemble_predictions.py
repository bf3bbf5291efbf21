"""This script averages the smoothed predictions of an ensemble's models, target by target."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from circumplex.ensembles import mean_prediction
from circumplex.logs import set_up
from circumplex.prediction_tables import TARGET_COLUMNS, PredictionTable, PredictionWriter

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the ensemble of every sample that a model of each member predicted.

    A model predicts what it was not trained on: under k-fold, a validation sample has predictions
    of one fold's models alone, a test sample of all.
    """
    set_up(snakemake.log[0], "ensemble_predictions")
    tracked = snakemake.params.stage
    members = [
        [
            (experiment, PredictionTable(Path(path)))
            for experiment, path in zip(
                tracked["members"][target], snakemake.input[target], strict=True
            )
        ]
        for target in TARGET_COLUMNS
    ]
    tables = [table for of_target in members for _, table in of_target]
    metadata = {"stage": "ensemble_predictions", "members": tracked["members"]}
    with PredictionWriter(Path(snakemake.output[0]), metadata) as output:
        for sample in sorted({sample for table in tables for sample in table.samples}):
            columns = []
            for column, of_target in enumerate(members):
                having = [(e, table) for e, table in of_target if sample in table]
                if {e for e, _ in having} == {e for e, _ in of_target}:
                    values = [table.values(sample)[:, column] for _, table in having]
                    columns.append(mean_prediction(values))
            if len(columns) == len(TARGET_COLUMNS):
                time_s = next(table for table in tables if sample in table).time_s(sample)
                output.write(sample, time_s, np.stack(columns, axis=1))


if __name__ == "__main__":
    main(snakemake)

"""This script clips and smooths the predictions of one model."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.logs import set_up
from circumplex.prediction_tables import PredictionTable, PredictionWriter
from circumplex.smoothing import Convention, SmoothingSpec, smooth

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the post-processed predictions."""
    set_up(snakemake.log[0], "smooth_predictions")
    options = snakemake.params.stage["smoothing"]
    spec = SmoothingSpec(**{**options, "convention": Convention(options["convention"])})
    table = PredictionTable(Path(snakemake.input[0]))
    metadata = {"stage": "smooth_predictions", "smoothing": options}
    with PredictionWriter(Path(snakemake.output[0]), metadata) as output:
        for sample in table.samples:
            output.write(sample, table.time_s(sample), smooth(table.values(sample), spec))


if __name__ == "__main__":
    main(snakemake)

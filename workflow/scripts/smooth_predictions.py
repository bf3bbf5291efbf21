"""This script clips and smooths the predictions of one model."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.labels import read_labels_table
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import labels_tables
from circumplex.predictions.smoothing import Convention, SmoothingSpec, search_windows, smooth
from circumplex.predictions.table import PredictionTable, PredictionWriter

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the post-processed predictions.

    Where windows are searched, they are chosen on the model's validation samples alone, and the
    table's metadata says which were tried and what they scored.
    """
    set_up(snakemake.log[0], "smooth_predictions", snakemake.resources)
    tracked = snakemake.params.stage
    options = tracked["smoothing"]
    output = Path(snakemake.output[0])
    spec = SmoothingSpec(**{**options, "convention": Convention(options["convention"])})
    table = PredictionTable(Path(snakemake.input.predictions))
    labels = labels_tables(snakemake.input.read_labels, results_of(snakemake))
    searched = [s for s in tracked["searched_on"] if s in table and s in labels]

    def held_out() -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
        for sample in searched:
            yield sample, table.values(sample), read_labels_table(labels[sample])

    search = search_windows(spec, tracked["search"], held_out())
    spec = search.spec
    chosen = {"convention": spec.convention, "valence": spec.valence, "arousal": spec.arousal}
    metadata = {"stage": "smooth_predictions", "smoothing": chosen}
    if tracked["search"]:
        metadata |= {"search": search.scores, "searched_on": search.samples}
    with PredictionWriter(output, metadata) as writer:
        for sample in table.samples:
            writer.write(sample, table.time_s(sample), smooth(table.values(sample), spec))


if __name__ == "__main__":
    main(snakemake)

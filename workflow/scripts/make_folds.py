"""This script divides training and validation samples into folds, groups never split."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from circumplex.io.atomic import write_json
from circumplex.io.parquet import read_columns
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import Status, read_index
from circumplex.training.folds import label_histogram, make_folds, whole_groups

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the fold, from 1, of each sample that has labels.

    Folds that the config keeps stay, as long as no group has come to be split.
    """
    set_up(snakemake.log[0], "make_folds", snakemake.resources)
    tracked = snakemake.params.stage
    output = Path(snakemake.output[0])
    results = results_of(snakemake)
    frames, histograms = {}, {}
    for index in snakemake.input.read_labels:
        for sample, entry in read_index(Path(index)).items():
            if entry.status is Status.OK:
                columns = read_columns(results / entry.file, ["valence", "arousal"])
                frames[sample] = len(columns[0])
                histograms[sample] = label_histogram(np.stack(columns, axis=1))
    groups = {sample: group for sample, group in tracked["groups"] if sample in frames}
    former = {sample: fold - 1 for sample, fold in tracked["keep"].items()}
    folds = make_folds(
        groups,
        frames,
        histograms,
        tracked["count"],
        tracked["seed"],
        previous=whole_groups(former, groups),
    )
    write_json(output, {sample: fold + 1 for sample, fold in folds.items()})


if __name__ == "__main__":
    main(snakemake)

"""This script trains the model of one trial of the search."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.config.search import trial_training
from circumplex.io.atomic import read_json
from circumplex.pipeline.jobs.training import TrainingJob

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Train as `train_encoder` does, with the parameters that the trial's round proposes.

    A trial whose loss is not finite is a result of the search: it ends without a score.
    """
    tracked = snakemake.params.stage
    parameters = read_json(Path(str(snakemake.input.round)))[tracked["place"]]
    options = trial_training(tracked["choices"], parameters)
    job = TrainingJob.start(snakemake, f"trial{snakemake.wildcards.trial}", options)
    job.run_trial()


if __name__ == "__main__":
    main(snakemake)

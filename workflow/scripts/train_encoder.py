"""This script trains one model: an experiment on one fold with one seed."""

from typing import TYPE_CHECKING

from circumplex.pipeline.jobs.training import TrainingJob

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Train, unless the store holds the model of the same code, options and data."""
    TrainingJob.start(snakemake).run_job()


if __name__ == "__main__":
    main(snakemake)

"""This script trains a backbone on sets of still images and writes its checkpoint and card."""

from typing import TYPE_CHECKING

from circumplex.pipeline.jobs.backbone import BackboneJob

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Train, unless the store holds the training of the same code, recipe and images."""
    BackboneJob.start_job(snakemake).run_job()


if __name__ == "__main__":
    main(snakemake)

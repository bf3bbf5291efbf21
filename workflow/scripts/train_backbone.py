"""This script trains a backbone on sets of still images and writes its checkpoint and card."""

from circumplex.pipeline.jobs.backbone import BackboneJob
from circumplex.pipeline.jobs.job import running

if __name__ == "__main__":
    with running(snakemake) as job:
        BackboneJob.of(job).run_job()

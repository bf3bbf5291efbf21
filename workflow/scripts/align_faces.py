"""This script finds and aligns the subject's face in every frame of a shard's samples."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import torch

from circumplex.config.faces import FaceOptions
from circumplex.faces.align import align_faces
from circumplex.faces.crop_folder import import_faces
from circumplex.faces.detector import FaceDetector
from circumplex.faces.subjects import Subject
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import Request


def main(job: ShardJob) -> None:
    """Make what is stale of the shard; handed-out crops are taken as they are."""
    torch.set_num_threads(job.threads)
    cv2.setNumThreads(job.threads)
    options = FaceOptions.read(job.stage.options, "faces")
    detector = cache(lambda: FaceDetector(options, job.device))

    def make(request: Request, output: Path, metadata: Mapping[str, Any]) -> None:
        sample = job.sheet[request.sample]
        if sample.faces is not None:
            timeline = job.path(request.upstream["extract_frames"])
            import_faces(sample.faces, timeline, output, metadata)
        else:
            subject = Subject.parse(sample.subject)
            align_faces(sample.video, output, options, subject, metadata, detector())

    job.run(make)


if __name__ == "__main__":
    main(ShardJob.start(snakemake))

"""The job that aligns faces."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from circumplex.pipeline.boundary import outside_time_limit
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest


def align_shard(job: ShardJob) -> None:
    """Bring the aligned faces of a shard up to date; crops that the sheet names are imported.

    The detector, and with it PyTorch, is loaded only if a sample is stale.
    """
    detector = cache(lambda: load_detector(job))

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        sample = job.sheet[request.sample]
        timeline = job.path(request.upstream["extract_frames"])
        if sample.faces is not None:
            from circumplex.faces.crop_folder import import_faces

            import_faces(sample.faces, timeline, output, metadata)
            return
        from circumplex.faces.align import align_faces
        from circumplex.faces.subjects import Subject

        assert sample.video is not None, "the plan has checked that"
        with outside_time_limit():  # it may wait for a GPU
            options, networks = detector()
        subject = Subject.parse(sample.subject)
        files = (timeline, sample.video_stream, sample.image_rate)
        align_faces(sample.video, output, options, subject, metadata, networks, *files)

    job.run(make)


def load_detector(job: ShardJob) -> tuple[Any, Any]:
    """Options of the stage, and the detector on the job's device."""
    import cv2
    import torch

    from circumplex.config.faces import FaceOptions
    from circumplex.faces.detector import FaceDetector

    torch.set_num_threads(job.threads)
    cv2.setNumThreads(job.threads)
    options = FaceOptions.read(job.stage.options, "faces")
    return options, FaceDetector(options, job.running.take_device())

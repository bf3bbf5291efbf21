"""This script puts the annotations of a shard's samples on their videos' frames."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.annotations.clip_labels import write_clip_label
from circumplex.annotations.labels import read_labels
from circumplex.errors import ModalityAbsent
from circumplex.pipeline.jobs.job import running
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import SampleRequest
from circumplex.targets import TARGETS


def main(job: ShardJob) -> None:
    """Bring the shard up to date."""

    def make(request: SampleRequest, output: Path, metadata: Mapping[str, Any]) -> None:
        sample = job.sheet[request.sample]
        if not sample.is_labelled:
            raise ModalityAbsent("no annotation in the sheet")
        timeline = job.path(request.upstream["extract_frames"])
        if sample.annotation is None:
            label = [float(request.key[target]) for target in TARGETS]
            write_clip_label(label, timeline, output, metadata)
            return
        read_labels(
            sample.annotation,
            timeline,
            output,
            metadata=metadata,
            layout=sample.annotation_format,
            **job.stage.options,
        )

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

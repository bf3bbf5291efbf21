"""This script puts the annotations of a shard's samples on their videos' frames."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.annotations.clip_labels import write_clip_label
from circumplex.annotations.labels import Annotations, read_labels
from circumplex.errors import ModalityAbsent
from circumplex.pipeline.annotations import layout_of
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
        options = job.stage.options
        timeline = job.path(request.upstream["extract_frames"])
        if not sample.annotations:
            label = [float(request.key.get(target, "nan")) for target in TARGETS]
            write_clip_label(label, timeline, output, metadata)
            return
        read_labels(
            Annotations(sample.annotation, sample.annotation_valence, sample.annotation_arousal),
            timeline,
            output,
            metadata=metadata,
            layout=layout_of(sample, has_time="time" in options.get("table", {})),
            **options,
        )

    job.run(make)


if __name__ == "__main__":
    with running(snakemake) as job:
        main(ShardJob.of(job))

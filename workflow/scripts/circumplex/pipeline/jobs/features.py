"""The jobs that pack features and divide samples into folds."""

import numpy as np

from circumplex.config.modalities import Framing
from circumplex.features.packs import PackedSample, pack_features
from circumplex.io.atomic import write_json
from circumplex.io.parquet import read_columns
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.requests import FoldsRequest, PackRequest
from circumplex.pipeline.store import Status, entries_by_sample, ok_files
from circumplex.targets import Target
from circumplex.training.folds import count_labels, make_folds, whole_groups


def pack_shard(job: RunningJob) -> None:
    """Write one feature's pack and its index; a sample that failed before is in neither."""
    request: PackRequest = job.request
    samples = {}
    indexes = {name: job.input(name) for name in ("extract_frames", "feature")}
    for name, entries in entries_by_sample(indexes).items():
        timeline, feature = entries["extract_frames"], entries["feature"]
        if timeline.status is Status.OK and feature.status is not Status.FAILED:
            table = job.results / feature.file if feature.status is Status.OK else None
            samples[name] = PackedSample(job.results / timeline.file, table)
    pack_features(
        samples,
        request.feature,
        Framing(request.framing) if request.framing else None,
        job.output("array"),
        job.output("index"),
        dimension=request.dimension,
        dtype=request.dtype,
    )


def divide_into_folds(job: RunningJob) -> None:
    """Write the fold, from 1, of each sample that has labels.

    Folds that the config keeps stay, as long as no group is split by them.
    """
    request: FoldsRequest = job.request
    frames, histograms = {}, {}
    targets = [target.value for target in Target]
    for sample, path in ok_files(job.inputs["read_labels"], job.results).items():
        columns = read_columns(path, targets)
        frames[sample] = len(columns[0])
        histograms[sample] = count_labels(np.stack(columns, axis=1))
    groups = {sample: group for sample, group in request.groups if sample in frames}
    former = {sample: fold - 1 for sample, fold in request.keep.items()}
    folds = make_folds(
        groups,
        frames,
        histograms,
        request.count,
        request.seed,
        previous=whole_groups(former, groups),
    )
    write_json(job.output("folds"), {sample: fold + 1 for sample, fold in folds.items()})

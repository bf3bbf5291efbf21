"""The jobs from a model to ensembled predictions."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.labels import read_labels_table
from circumplex.config.experiments import Method
from circumplex.config.smoothing import Convention
from circumplex.io.parquet import read_columns
from circumplex.media.resampling import resample_trace
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.requests import (
    EnsembleRequest,
    PredictionRequest,
    RestorationRequest,
    SmoothingRequest,
)
from circumplex.pipeline.store import ok_files, read_index
from circumplex.predictions.ensembles import Member, TargetEnsemble
from circumplex.predictions.smoothing import SmoothingSpec, search_windows, smooth
from circumplex.predictions.table import PredictionTable, PredictionWriter
from circumplex.progress import report_progress
from circumplex.targets import Target


def predict_frames(job: RunningJob) -> None:
    """Write one model's predictions, not clipped, of every sample that it was not trained on."""
    if job.request.readout:
        read_out_frames(job)
    else:
        run_model(job)


def read_out_frames(job: RunningJob) -> None:
    """Write a pretrained model's predictions of every sample that has its feature."""
    from circumplex.features.pack_reader import PackReader
    from circumplex.features.packs import index_paths
    from circumplex.io.parquet import read_columns
    from circumplex.predictions.readout import read_out

    request: PredictionRequest = job.request
    (feature,) = request.features
    timelines = ok_files(job.inputs["extract_frames"], job.results)
    reader = PackReader(index_paths(list(map(str, job.inputs["packs"]))))
    packed = [sample for sample in sorted(request.samples) if reader.packed(sample, [feature])]
    metadata = {"stage": request.stage, "run": request.run, "models": [request.card]}
    with PredictionWriter(job.output("predictions"), metadata) as table:
        for sample in packed:
            if reader.present(sample, feature):
                (time_s,) = read_columns(timelines[sample], ["time_s"])
                values = [
                    read_out(block, request.columns, request.readout)
                    for block in reader.blocks(sample, feature)
                ]
                table.write(sample, time_s, np.concatenate(values))


def run_model(job: RunningJob) -> None:
    """Write a trained model's predictions of every sample that it was not trained on."""
    import torch

    from circumplex.features.pack_reader import PackReader
    from circumplex.features.packs import index_paths
    from circumplex.model.checkpoints import load_model
    from circumplex.training.predict import Predictor

    torch.set_num_threads(job.threads)
    request: PredictionRequest = job.request
    timelines = ok_files(job.inputs["extract_frames"], job.results)
    model = load_model(model_file(job))
    reader = PackReader(index_paths(list(map(str, job.inputs["packs"]))))
    predictor = Predictor(model, reader, torch.device(job.take_device()), request.groups)
    trained = set(model.metadata["train_samples"])
    samples = [
        sample
        for sample in sorted(request.samples)
        if sample not in trained and predictor.predicts(sample)
    ]
    metadata = {"stage": request.stage, "run": request.run, "seed": model.seed}
    with PredictionWriter(job.output("predictions"), metadata) as table:
        for number, sample in enumerate(samples):
            report_progress(number, len(samples), "samples")
            (time_s,) = read_columns(timelines[sample], ["time_s"])
            table.write(sample, time_s, predictor.predict(sample))


def model_file(job: RunningJob) -> Path:
    """Checkpoint of the job's model: the one that its index names, or the exported one itself."""
    path = job.input("model")
    if path.suffix != ".json":
        return path
    (entry,) = read_index(path).values()
    return job.results / entry.file


def smooth_predictions(job: RunningJob) -> None:
    """Write one model's predictions, clipped and smoothed.

    Where windows are searched, they are chosen on the model's validation samples alone, and the
    table's metadata says which were tried and their CCC.
    """
    request: SmoothingRequest = job.request
    options = {**request.smoothing, "convention": Convention(request.smoothing["convention"])}
    table = PredictionTable(job.input("predictions"))
    labels = ok_files(job.inputs["read_labels"], job.results)
    searched = [s for s in request.searched_on if s in table and s in labels]

    def held_out() -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
        for sample in searched:
            yield sample, table.values(sample), read_labels_table(labels[sample])

    search = search_windows(SmoothingSpec(**options), request.search, held_out())
    spec = search.spec
    chosen = {"convention": spec.convention, "valence": spec.valence, "arousal": spec.arousal}
    metadata = {"stage": request.stage, "smoothing": chosen, "models": models_of([table])}
    if request.search:
        metadata |= {"search": search.scores, "searched_on": search.samples}
    with PredictionWriter(job.output("predictions"), metadata) as writer:
        for sample in table.samples:
            writer.write(sample, table.time_s(sample), smooth(table.values(sample), spec))


def ensemble_predictions(job: RunningJob) -> None:
    """Write the ensemble of every sample that a model of each member predicted.

    A model predicts what it was not trained on: under k-fold, a validation sample has predictions
    of one fold's models alone, a test sample of all.
    """
    request: EnsembleRequest = job.request
    ensembles = {target: target_ensemble(job, target) for target in Target}
    tables = [member.table for ensemble in ensembles.values() for member in ensemble.members]
    weights = {target.value: ensemble.record() for target, ensemble in ensembles.items()}
    metadata = {
        "stage": request.stage,
        "members": request.members,
        "method": request.method,
        "combination": {target: record for target, record in weights.items() if record},
        "models": models_of(tables),
    }
    with PredictionWriter(job.output("predictions"), metadata) as writer:
        for sample in sorted({sample for table in tables for sample in table.samples}):
            columns = [ensemble.predict(sample) for ensemble in ensembles.values()]
            whole = [column for column in columns if column is not None]
            if len(whole) == len(columns):
                time_s = next(table for table in tables if sample in table).time_s(sample)
                writer.write(sample, time_s, np.stack(whole, axis=1))


def models_of(tables: Iterable[PredictionTable]) -> list[dict[str, str]]:
    """The cards of the pretrained models that predictions come from, each once."""
    cards = [card for table in tables for card in table.metadata.get("models", [])]
    return list({card["name"]: card for card in cards}.values())


def restore_frames(job: RunningJob) -> None:
    """Write an ensemble's predictions on the videos' own frames, interpolated in time."""
    request: RestorationRequest = job.request
    table = PredictionTable(job.input("predictions"))
    timelines = ok_files(job.inputs["extract_frames"], job.results)
    metadata = {**table.metadata, "stage": request.stage}
    with PredictionWriter(job.output("predictions"), metadata) as writer:
        for sample in table.samples:
            (native_s,) = read_columns(timelines[sample], ["time_s"])
            values = resample_trace(table.values(sample), table.time_s(sample), native_s)
            writer.write(sample, native_s, values)


def target_ensemble(job: RunningJob, target: Target) -> TargetEnsemble:
    """The members of an ensemble for one target, and how they are combined."""
    request: EnsembleRequest = job.request
    labels = ok_files(job.inputs["read_labels"], job.results)
    described = zip(request.members[target.value], job.inputs[target.value], strict=True)
    return TargetEnsemble(
        list(Target).index(target),
        tuple(Member(name, fold, PredictionTable(path)) for (name, fold), path in described),
        Method(request.method),
        request.alpha,
        {sample: labels[sample] for sample in request.fitted_on if sample in labels},
        request.combination.get(target.value),
    )

"""This script predicts every frame of the samples that a model was not trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from circumplex.features.pack_reader import PackReader
from circumplex.features.packs import index_paths
from circumplex.io.parquet import read_columns
from circumplex.model.checkpoints import load_model
from circumplex.pipeline.jobs.gpus import device_of
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import Status, read_index
from circumplex.predictions.table import PredictionWriter
from circumplex.training.predict import Predictor

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the raw predictions, not clipped, of one model."""
    set_up(snakemake.log[0], "predict_frames", snakemake.resources)
    torch.set_num_threads(snakemake.threads)
    tracked = snakemake.params.stage
    results = results_of(snakemake)
    timelines = {
        sample: results / entry.file
        for index in snakemake.input.extract_frames
        for sample, entry in read_index(Path(index)).items()
        if entry.status is Status.OK
    }
    path = Path(snakemake.input.model)
    if path.suffix == ".json":
        (entry,) = read_index(path).values()
        path = results / entry.file
    model = load_model(path)
    reader = PackReader(index_paths(snakemake.input.packs))
    device = torch.device(device_of(snakemake.resources))
    predictor = Predictor(model, reader, device)
    trained = set(model.metadata["train_samples"])
    samples = [
        sample
        for sample in sorted(tracked["samples"])
        if sample not in trained and predictor.predicts(sample)
    ]
    metadata = {"stage": "predict_frames", "run": tracked["run"], "seed": model.seed}
    with PredictionWriter(Path(snakemake.output[0]), metadata) as table:
        for sample in tqdm(samples, desc=tracked["run"], unit="sample", disable=None):
            (time_s,) = read_columns(timelines[sample], ["time_s"])
            table.write(sample, time_s, predictor.predict(sample))


if __name__ == "__main__":
    main(snakemake)

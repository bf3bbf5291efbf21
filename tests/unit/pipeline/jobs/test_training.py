import logging

import numpy as np
import pytest
import torch

from circumplex.config.training import TrainingSpec
from circumplex.pipeline.jobs.training import TrainingJob
from circumplex.pipeline.requests import TrainingRequest
from circumplex.pipeline.store import Entry, Status, write_index
from running_jobs import running_job
from synthetic_data import SyntheticData

LENGTHS = {"a": 30, "b": 40, "deaf": 25, "unlabelled": 20}


@pytest.fixture
def start(tmp_path):
    """A training job on four samples: one has no voice, one failed in ``read_labels``."""
    threads = torch.get_num_threads()
    corpus = SyntheticData(tmp_path / "results" / "x", LENGTHS)
    corpus.features["voice"]["deaf"] = None
    corpus.readers()
    entries = {
        name: Entry(Status.OK, f"x/{name}.parquet", "1", "read_labels")
        if name != "unlabelled"
        else Entry(Status.FAILED, stage="read_labels", reason="empty")
        for name in LENGTHS
    }
    index = tmp_path / "results" / "index" / "read_labels" / "0.json"
    write_index(index, entries)
    packs = [tmp_path / "results" / "x" / f / "shard.json" for f in ("face", "voice")]

    def of(missing):
        encoder = {"kind": "lstm", "hidden": 8, "regressor": [4]}
        values = {"encoder": encoder, "visual": ["face"], "audio": ["voice"], "epochs": 1}
        spec = TrainingSpec.read({**values, "selection": "last", "missing_modality": missing})
        roles = dict.fromkeys(LENGTHS, "train")
        request = TrainingRequest(
            "train_encoder", "c", spec.plain(), roles, fold="official", seed=0
        )
        run = tmp_path / "results" / "index" / "train_encoder" / f"{missing}.json"
        outputs = {"index": run, "epochs": run.with_suffix(".epochs.parquet")}
        inputs = {"read_labels": [index], "packs": packs, "folds": []}
        return TrainingJob.of(
            running_job(tmp_path / "results", request, inputs, outputs, unit=missing)
        )

    yield of
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("missing", "samples"),
    [
        ("zeros_with_mask", {"a", "b", "deaf"}),
        ("zeros", {"a", "b", "deaf"}),
        ("leave_out", {"a", "b"}),
    ],
)
def test_a_sample_that_lacks_a_modality_takes_part_as_the_config_says(
    start, caplog, missing, samples
):
    with caplog.at_level(logging.INFO, logger="circumplex"):
        job = start(missing)
    assert set(job.roles) == set(job.labels) == samples
    assert "left out, see list_failures.tsv: unlabelled" in caplog.text
    assert ("missing modality: deaf" in caplog.text) == (missing == "leave_out")
    job.run_job()
    weights = torch.load(job.stage.link_path(missing), weights_only=True)["checkpoints"]
    ((_, kept),) = weights["valence"]
    assert ("absence" in kept) == (missing == "zeros_with_mask")
    if "absence" in kept:
        learnt = kept["absence"].numpy()
        assert not learnt[:, 0].any(), "every sample has a face"
        assert np.abs(learnt[:, 1]).min() > 0

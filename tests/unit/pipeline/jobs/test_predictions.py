"""The jobs of predictions."""

import numpy as np

from circumplex.io.parquet import read_metadata
from circumplex.media.timeline import write_timeline
from circumplex.pipeline.jobs.predictions import restore_frames
from circumplex.pipeline.requests import RestorationRequest
from circumplex.pipeline.store import Entry, Status, write_index
from circumplex.predictions.table import PredictionTable, PredictionWriter
from running_jobs import running_job


def test_predictions_come_back_for_every_frame_of_the_video(tmp_path):
    write_timeline(61, tmp_path / "a.parquet", fps=60.0, metadata={})
    entries = {"a": Entry(Status.OK, "a.parquet", "0", "extract_frames")}
    write_index(tmp_path / "index.json", entries)
    time_s = np.arange(26) / 25
    values = np.stack([time_s, -time_s], axis=1)
    with PredictionWriter(tmp_path / "p.parquet", {"stage": "x", "method": "mean"}) as writer:
        writer.write("a", time_s, values)
    inputs = {
        "predictions": [tmp_path / "p.parquet"],
        "extract_frames": [tmp_path / "index.json"],
    }
    request = RestorationRequest("restore_frames", "code", "main")
    outputs = {"predictions": tmp_path / "restored.parquet"}
    restore_frames(running_job(tmp_path, request, inputs, outputs))
    table = PredictionTable(tmp_path / "restored.parquet")
    native_s = np.arange(61) / 60
    np.testing.assert_allclose(table.time_s("a"), native_s)
    np.testing.assert_allclose(table.values("a"), np.stack([native_s, -native_s], 1), atol=1e-6)
    described = read_metadata(tmp_path / "restored.parquet")
    assert described["method"] == "mean"
    assert described["stage"] == "restore_frames"

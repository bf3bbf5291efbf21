"""The jobs of predictions."""

import numpy as np

from circumplex.io.parquet import read_metadata
from circumplex.media.timeline import write_timeline
from circumplex.pipeline.jobs.predictions import (
    ensemble_predictions,
    model_file,
    models_of,
    restore_frames,
    smooth_predictions,
)
from circumplex.pipeline.requests import (
    EnsembleRequest,
    PredictionRequest,
    RestorationRequest,
    SmoothingRequest,
)
from circumplex.pipeline.store import Entry, Status, write_index
from circumplex.predictions.table import PredictionTable, PredictionWriter
from running_jobs import running_job
from synthetic_data import write_labels


def write_table(path, samples, metadata=None):
    with PredictionWriter(path, metadata or {}) as writer:
        for name, values in samples.items():
            writer.write(name, np.arange(len(values)) / 25, np.asarray(values, np.float32))
    return path


def index_labels(folder, labels):
    entries = {}
    for name, values in labels.items():
        write_labels(folder / f"{name}.labels.parquet", np.asarray(values, np.float32))
        entries[name] = Entry(Status.OK, f"{name}.labels.parquet", "0", "read_labels")
    write_index(folder / "labels.json", entries)
    return [folder / "labels.json"]


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


def test_a_model_is_its_own_file_or_the_one_that_its_index_names(tmp_path):
    write_index(tmp_path / "run.json", {"run": Entry(Status.OK, "store/m.pt", "0", "x")})
    request = PredictionRequest("predict_frames", "c", "run", [], [])
    for given, expected in (("run.json", "store/m.pt"), ("exported.pt", "exported.pt")):
        job = running_job(tmp_path, request, {"model": [tmp_path / given]}, {})
        assert model_file(job) == tmp_path / expected


def smoothed(folder, smoothing, search=None, searched_on=(), labels=None, **samples):
    table = write_table(folder / "p.parquet", samples)
    inputs = {"predictions": [table], "read_labels": index_labels(folder, labels or {})}
    request = SmoothingRequest("smooth_predictions", "c", smoothing, search or {}, searched_on)
    outputs = {"predictions": folder / "smoothed.parquet"}
    smooth_predictions(running_job(folder, request, inputs, outputs))
    path = folder / "smoothed.parquet"
    return PredictionTable(path), read_metadata(path)


def test_predictions_are_clipped_and_averaged_over_the_windows(tmp_path):
    values = np.random.default_rng(0).normal(0, 0.8, (12, 2))
    windows = {"convention": "paper", "valence": 3, "arousal": 0}
    table, metadata = smoothed(tmp_path, windows, a=values)
    clipped = values.clip(-1, 1)
    # A window of 3 reaches two frames to either side; at the ends it is cut off.
    means = [clipped[max(0, k - 2) : k + 3, 0].mean() for k in range(12)]
    np.testing.assert_allclose(table.values("a"), np.stack([means, clipped[:, 1]], 1), atol=1e-6)
    assert metadata["smoothing"] == windows
    assert "search" not in metadata


def test_windows_are_chosen_on_the_models_validation_samples_alone(tmp_path):
    rough = np.tile([[0.5, 0.1], [-0.5, -0.3]], (20, 1))
    level = np.sin(np.arange(40) / 4)[:, None] * [0.6, 0.6]
    noisy = level + np.tile([[0.3], [-0.3]], (20, 1))
    samples = {"held_out": noisy, "other": rough}
    windows = {"convention": "paper", "valence": 20, "arousal": 20}
    search = {"valence": [0, 2], "arousal": [0, 2]}
    # The held-out annotation is smooth, so that a window helps; the other's is not.
    labels = {"held_out": level, "other": rough}
    table, metadata = smoothed(tmp_path, windows, search, ["held_out", "absent"], labels, **samples)
    assert metadata["smoothing"] == {"convention": "paper", "valence": 2, "arousal": 2}
    means = [rough[max(0, k - 1) : k + 2].mean(axis=0) for k in range(40)]
    np.testing.assert_allclose(table.values("other"), means, atol=1e-6)


def test_an_ensemble_averages_its_members_target_by_target(tmp_path):
    a = write_table(tmp_path / "a.parquet", {"x": [[0.1, 0.2]] * 3, "only_a": [[0, 0]]})
    b = write_table(tmp_path / "b.parquet", {"x": [[0.5, -0.4]] * 3, "only_b": [[0, 0]]})
    members = {"valence": [["a", "official"], ["b", "official"]], "arousal": [["b", "official"]]}
    inputs = {"valence": [a, b], "arousal": [b], "read_labels": index_labels(tmp_path, {})}
    request = EnsembleRequest("ensemble_predictions", "c", "main", members, "mean", 0.01, [], {})
    outputs = {"predictions": tmp_path / "ensemble.parquet"}
    ensemble_predictions(running_job(tmp_path, request, inputs, outputs))
    table = PredictionTable(tmp_path / "ensemble.parquet")
    assert table.samples == ["x"], "valence needs both experiments"
    np.testing.assert_allclose(table.values("x"), [[0.3, -0.4]] * 3, atol=1e-6)
    np.testing.assert_allclose(table.time_s("x"), np.arange(3) / 25)
    assert read_metadata(tmp_path / "ensemble.parquet")["combination"] == {}


def test_the_card_of_a_pretrained_model_comes_once(tmp_path):
    card, other = {"name": "m", "notice": "n"}, {"name": "o", "notice": "n"}
    tables = [
        PredictionTable(write_table(tmp_path / f"{k}.parquet", {"x": [[0, 0]]}, {"models": cards}))
        for k, cards in enumerate(([card], [other, card]))
    ]
    plain = PredictionTable(write_table(tmp_path / "plain.parquet", {"x": [[0, 0]]}))
    assert models_of([*tables, plain]) == [card, other]

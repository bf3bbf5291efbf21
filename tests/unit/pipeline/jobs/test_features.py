"""The jobs that pack features and divide samples into folds."""

import numpy as np
import pytest

from circumplex.io.atomic import read_json
from circumplex.io.parquet import TableWriter, frame_schema, vector_field
from circumplex.media.timeline import write_timeline
from circumplex.pipeline.jobs.features import divide_into_folds, pack_shard
from circumplex.pipeline.requests import FoldsRequest, PackRequest
from circumplex.pipeline.store import Entry, Status, write_index
from running_jobs import running_job
from synthetic_data import write_labels


def write_feature(path, values):
    with TableWriter(path, frame_schema(vector_field("x", values.shape[1])), {}) as table:
        table.write(frame=np.arange(len(values)), time_s=np.arange(len(values)) / 25, x=values)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_pack_holds_what_succeeded_and_zeros_for_what_is_absent(tmp_path, dtype):
    frames, features = {}, {}
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    for name, count in (("whole", 4), ("silent", 3), ("failed", 5)):
        write_timeline(count, tmp_path / f"{name}.parquet", fps=25.0, metadata={})
        frames[name] = Entry(Status.OK, f"{name}.parquet", "0", "extract_frames")
    frames["broken"] = Entry(Status.FAILED, stage="extract_frames", reason="r")
    write_feature(tmp_path / "x.parquet", values)
    features["whole"] = Entry(Status.OK, "x.parquet", "0", "extract_x")
    features["silent"] = Entry(Status.ABSENT, stage="extract_x", reason="no sound")
    features["failed"] = Entry(Status.FAILED, stage="extract_x", reason="r")
    features["broken"] = frames["broken"]
    write_index(tmp_path / "frames.json", frames)
    write_index(tmp_path / "feature.json", features)
    inputs = {
        "extract_frames": [tmp_path / "frames.json"],
        "feature": [tmp_path / "feature.json"],
    }
    outputs = {"array": tmp_path / "pack.npy", "index": tmp_path / "pack.json"}
    request = PackRequest("pack_features", "c", "x", 2, None, dtype)
    pack_shard(running_job(tmp_path, request, inputs, outputs))
    entries = read_json(tmp_path / "pack.json")["samples"]
    array = np.load(tmp_path / "pack.npy")
    assert array.dtype == dtype
    assert {name: (e["frames"], e["present"]) for name, e in entries.items()} == {
        "silent": (3, False),
        "whole": (4, True),
    }
    start = entries["whole"]["start"]
    assert np.array_equal(array[start : start + 4], values)
    assert not array[entries["silent"]["start"] :][:3].any()


def divide(folder, groups, keep=None, count=2):
    entries = {}
    rng = np.random.default_rng(0)
    for name, _ in groups:
        write_labels(folder / f"{name}.parquet", rng.uniform(-1, 1, (30, 2)).astype(np.float32))
        entries[name] = Entry(Status.OK, f"{name}.parquet", "0", "read_labels")
    write_index(folder / "labels.json", entries)
    request = FoldsRequest("make_folds", "c", [*groups, ["no labels", "g"]], count, 0, keep or {})
    inputs = {"read_labels": [folder / "labels.json"]}
    divide_into_folds(running_job(folder, request, inputs, {"folds": folder / "folds.json"}))
    return read_json(folder / "folds.json")


GROUPS = [[f"{group}{k}", group] for group in "abcd" for k in range(2)]


def test_folds_count_from_1_and_split_no_group(tmp_path):
    folds = divide(tmp_path, GROUPS)
    assert set(folds) == {name for name, _ in GROUPS}
    assert set(folds.values()) == {1, 2}
    assert all(folds[f"{group}0"] == folds[f"{group}1"] for group in "abcd")


def test_former_folds_stay_unless_they_split_a_group(tmp_path):
    former = {"a0": 2, "a1": 2, "b0": 2, "c0": 1, "c1": 2, "gone": 1}
    folds = divide(tmp_path, GROUPS, former)
    assert {folds[name] for name in ("a0", "a1", "b0", "b1")} == {2}
    assert folds["c0"] == folds["c1"]

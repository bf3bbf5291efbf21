"""Two results folders side by side."""

import pytest

from circumplex.errors import RequestError
from circumplex.io.atomic import write_json
from circumplex.pipeline.comparison import compare_results, find_changes
from finished_runs import write_run


def test_scores_are_compared_by_split_over_common_samples(tmp_path):
    first = write_run(tmp_path / "first")
    second = write_run(tmp_path / "second", 0.2, names="abc")
    found = compare_results(first, second)
    lines = {(line.name, line.split, line.target): line for line in found.lines}
    assert len(lines) == 8
    assert {key[1]: line.samples for key, line in lines.items()} == {"val": 2, "test": 1}
    for line in lines.values():
        assert line.second < line.first, "a shift costs CCC"
        assert line.low <= line.difference <= line.high
    assert {line.sample: line.split for line in found.samples} == {
        "a": "val",
        "b": "val",
        "c": "test",
    }
    assert [line.difference for line in found.samples] == sorted(
        line.difference for line in found.samples
    )
    assert found.compared == "main"
    assert found.notes == []


def test_runs_of_earlier_versions_are_compared_by_their_scores(tmp_path):
    first = write_run(tmp_path / "first", requests=False)
    second = write_run(tmp_path / "second", requests=False)
    found = compare_results(first, second)
    assert {line.samples for line in found.lines} == {4}
    assert len(found.samples) == 4
    assert "earlier version" in found.notes[0]
    assert "Splits are not on record" in found.notes[2]
    assert found.changes is None


def test_jobs_of_a_former_config_are_left_out(tmp_path):
    first = write_run(tmp_path / "first")
    second = write_run(tmp_path / "second", window=50)
    for former in ("smooth_predictions/y/official/seed0", "ensemble_predictions/former"):
        write_json(second / f"requests/{former}.json", {"stage": "x"})
    found = compare_results(first, second)
    assert [(c.key, c.second) for c in found.changes] == [("smoothing.valence", "50")]


def test_a_folder_without_scores_is_refused(tmp_path):
    first = write_run(tmp_path / "first")
    with pytest.raises(RequestError, match=r"empty holds no scores .*ccc\.parquet is missing"):
        compare_results(first, tmp_path / "empty")


def changes(first, second):
    return [(c.stage, c.units, c.key, c.first, c.second) for c in find_changes(first, second)]


def test_options_that_differ_are_named_once_for_all_jobs():
    first = {"smooth_predictions": {u: {"smoothing": {"valence": 20}} for u in ("x", "y")}}
    second = {"smooth_predictions": {u: {"smoothing": {"valence": 50}} for u in ("x", "y")}}
    assert changes(first, second) == [("smooth_predictions", "", "smoothing.valence", "20", "50")]
    second["smooth_predictions"]["x"] = {"smoothing": {"valence": 20}}
    assert changes(first, second) == [("smooth_predictions", "y", "smoothing.valence", "20", "50")]


def test_jobs_of_one_run_alone_are_named():
    first = {"train_encoder": {"x": {}, "y": {}}}
    second = {"train_encoder": {"y": {}, "z": {}}}
    assert changes(first, second) == [
        ("train_encoder", "x", "job", "asked for", "–"),
        ("train_encoder", "z", "job", "–", "asked for"),
    ]


def test_shards_count_for_nothing_and_inputs_are_counted():
    first = {
        "extract_frames": {
            "000-of-002": {"code": "v1-aaaa", "options": {"fps": 30}, "samples": {"a": {"v": "1"}}},
            "001-of-002": {"code": "v1-aaaa", "options": {"fps": 30}, "samples": {"b": {"v": "2"}}},
        }
    }
    second = {
        "extract_frames": {
            "000-of-001": {
                "code": "v1-bbbb",
                "options": {"fps": 25},
                "samples": {"a": {"v": "1"}, "b": {"v": "3"}, "c": {"v": "4"}},
            },
        }
    }
    assert changes(first, second) == [
        ("extract_frames", "", "inputs", "2 samples", "3 samples (1 new, 1 changed)"),
        ("extract_frames", "", "code", "v1-aaaa", "v1-bbbb"),
        ("extract_frames", "", "options.fps", "30", "25"),
    ]


def test_long_lists_are_counted_and_digests_shortened():
    first = {"evaluate": {"all": {"splits": {f"s{k}": "val" for k in range(20)}}}}
    second = {"evaluate": {"all": {"splits": {f"s{k}": "test" for k in range(18)}}}}
    assert changes(first, second) == [
        ("evaluate", "", "splits", "20 entries", "18 entries (2 gone, 18 changed)")
    ]
    a, b = ({"x": {"all": {"weights": f"sha256:{letter * 64}"}}} for letter in "ab")
    assert changes(a, b) == [("x", "", "weights", f"sha256:{'a' * 11}…", f"sha256:{'b' * 11}…")]


def test_what_only_renders_is_no_difference():
    first = {"make_report": {"all": {"code": "a"}}, "evaluate": {"all": {"code": "v1-a"}}}
    second = {"make_report": {"all": {"code": "b"}}, "evaluate": {"all": {"code": "v1-a"}}}
    assert changes(first, second) == []

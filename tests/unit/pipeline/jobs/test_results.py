"""The jobs that write what people read and hand on."""

import csv
import json

import numpy as np
import pytest

from circumplex.io.atomic import read_json
from circumplex.io.markdown import markdown_table
from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.pipeline.jobs.results import (
    check_failures,
    evaluate,
    list_failures,
    measure_rate,
    read_failures,
    summary_lines,
    write_submission,
)
from circumplex.pipeline.requests import (
    ClosingRequest,
    EvaluationRequest,
    FailuresRequest,
    SubmissionRequest,
)
from circumplex.pipeline.store import Entry, Status, write_index
from circumplex.predictions.table import PredictionWriter
from circumplex.progress import CLOSING
from running_jobs import running_job
from synthetic_data import write_labels


def write_table(path, samples):
    with PredictionWriter(path, {}) as writer:
        for name, values in samples.items():
            writer.write(name, np.arange(len(values)) / 25, np.asarray(values, np.float32))
    return path


def test_models_and_ensembles_are_scored_on_the_splits_they_held_out(tmp_path):
    draw = np.random.default_rng(0)
    labels = {name: draw.uniform(-1, 1, (20, 2)) for name in ("t", "v", "w")}
    predicted = {name: 0.5 * values + 0.1 for name, values in labels.items()}
    entries = {}
    for name, values in labels.items():
        write_labels(tmp_path / f"{name}.parquet", values.astype(np.float32))
        entries[name] = Entry(Status.OK, f"{name}.parquet", "0", "read_labels")
    write_index(tmp_path / "labels.json", entries)
    table = write_table(tmp_path / "p.parquet", predicted)
    inputs = {"read_labels": [tmp_path / "labels.json"], "ensembles": [table], "smoothed": [table]}
    splits = {"t": "train", "v": "val", "w": "val"}
    request = EvaluationRequest(
        "evaluate", "c", [["x", "fold1", 3, "kfold"]], {"main": ["kfold"]}, splits
    )
    outputs = {name: tmp_path / f"ccc.{name}" for name in ("table", "csv", "markdown")}
    evaluate(running_job(tmp_path, request, inputs, outputs))
    with outputs["csv"].open(newline="") as file:
        rows = {
            (r["model"], r["split"], r["target"]): float(r["ccc"]) for r in csv.DictReader(file)
        }
    whole = np.concatenate([labels[name] for name in "tvw"])
    val = np.concatenate([labels["v"], labels["w"]])
    expected = {
        ("main", "val"): val,
        ("main", "out of fold"): whole,
        ("x/fold1/seed3", "fold1"): whole,
    }
    assert {key[:2] for key in rows} == set(expected)
    for (name, split), truth in expected.items():
        for column, target in enumerate(("valence", "arousal")):
            y = truth[:, column]
            x = 0.5 * y + 0.1
            by_hand = 2 * np.cov(x, y, bias=True)[0, 1]
            by_hand /= x.var() + y.var() + (x.mean() - y.mean()) ** 2
            assert rows[name, split, target] == pytest.approx(by_hand, abs=1e-5)


def test_a_submission_is_written_and_listed_with_what_is_missing(tmp_path):
    table = write_table(tmp_path / "p.parquet", {"b": [[0.25, -0.5]] * 2})
    request = SubmissionRequest(
        "write_submission", "c", "main", ["a", "b"], "ensemble", "abaw3", None, "video", 30
    )
    outputs = {"manifest": tmp_path / "manifest.json"}
    inputs = {"predictions": [table], "rows": []}
    write_submission(running_job(tmp_path, request, inputs, outputs))
    manifest = read_json(tmp_path / "manifest.json")
    assert manifest["missing"] == ["a"]
    assert list(manifest["files"]) == ["b.txt"]
    lines = (tmp_path / manifest["folder"] / "b.txt").read_text().splitlines()
    assert lines[0] == "valence,arousal"
    assert [tuple(map(float, line.split(","))) for line in lines[1:]] == [(0.25, -0.5)] * 2


def failed(stage, reason):
    return Entry(Status.FAILED, stage=stage, reason=reason)


def close(folder, entries, unscored=False):
    """List the failures of two stages, then end the run."""
    for stage, of_stage in entries.items():
        write_index(folder / f"{stage}.json", of_stage)
    indexes = {"indexes": [folder / f"{stage}.json" for stage in entries]}
    outputs = {"failures": folder / "failures.tsv"}
    request = FailuresRequest("list_failures", "c", list(entries))
    list_failures(running_job(folder, request, indexes, outputs))
    scored = [] if unscored else [["main", "test", "0.5"]]
    rows = markdown_table(["model", "split", "valence"], scored)
    (folder / "ccc.md").write_text("\n".join([*rows, "", "A note."]))
    (folder / "s.json").write_text(json.dumps({"folder": "submissions/main", "files": {"a": "1"}}))
    inputs = {
        "failures": [folder / "failures.tsv"],
        "submissions": [folder / "s.json"],
        "ccc": [folder / "ccc.md"],
        "report": [folder / "report.html"],
        **{name: [] for name in ("predictions", "summary", "player")},
    }
    closing = ClosingRequest("check_failures", "c", {"fau": "random:1"}, [{"notice": "A notice."}])
    return running_job(folder, closing, inputs, {"summary": folder / "summary.txt"})


def test_failures_are_listed_once_by_sample_and_first_stage(tmp_path, caplog):
    first, tab = failed("extract_frames", "no picture"), failed("align_faces", "a\tb")
    entries = {
        "extract_frames": {"z": first, "a": Entry(Status.OK, "f", "1", "extract_frames")},
        "align_faces": {"z": first, "a": tab, "q": Entry(Status.ABSENT, reason="no sound")},
    }
    job = close(tmp_path, entries)
    with (tmp_path / "failures.tsv").open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert rows[1:] == [["a", "align_faces", "a\tb"], ["z", "extract_frames", "no picture"]]
    with caplog.at_level("INFO", CLOSING):
        assert check_failures(job) is False
    (record,) = caplog.records
    assert record.name == CLOSING
    *places, heading, first_row, last_row = record.getMessage().splitlines()
    assert any(line.startswith("report: ") for line in places)
    assert heading.startswith("2 of the samples failed; all others were finished.")
    assert (first_row, last_row) == ("  a: align_faces: a\tb", "  z: extract_frames: no picture")
    assert not (tmp_path / "summary.txt").exists()


def test_a_run_without_failures_says_where_its_results_are(tmp_path):
    job = close(tmp_path, {"extract_frames": {"a": Entry(Status.OK, "f", "1", "extract_frames")}})
    assert check_failures(job) is True
    lines = (tmp_path / "summary.txt").read_text().splitlines()
    assert lines == list(summary_lines(job))
    assert f"CCC table:   {tmp_path}/ccc.md" in lines
    assert lines[0] == "SEEDED RANDOM WEIGHTS, not published ones: fau (random:1)"
    assert lines[1] == "A notice."
    assert f"submission:  {tmp_path}/submissions/main (1 files)" in lines
    assert lines[-1].endswith("report.html")


def test_a_run_that_only_predicts_names_no_empty_table_of_ccc(tmp_path):
    entries = {"extract_frames": {"a": Entry(Status.OK, "f", "1", "extract_frames")}}
    job = close(tmp_path, entries, unscored=True)
    job.inputs["summary"] = [tmp_path / "summary.csv"]
    job.inputs["player"] = [tmp_path / "player.html"]
    lines = list(summary_lines(job))
    assert not any(line.startswith("CCC table") for line in lines)
    assert lines[-2].startswith(f"CSV files:   {tmp_path}/summary.csv")
    assert lines[-1] == f"player:      {tmp_path}/player.html"


def test_names_of_failed_samples_are_no_formulas_in_a_spreadsheet(tmp_path):
    names = ["=cmd|'/c calc'!A0", "-5", "@sum", "a", "'=a"]
    index, table = tmp_path / "index.json", tmp_path / "list_failures.tsv"
    failed = Entry(Status.FAILED, stage="align_faces", reason="=1+1 is wrong")
    write_index(index, dict.fromkeys(names, failed))
    request = FailuresRequest("list_failures", "code", ["align_faces"])
    list_failures(running_job(tmp_path, request, {"indexes": [index]}, {"failures": table}))
    cells = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    assert {cell[0] for cell in cells} == {"'=cmd|'/c calc'!A0", "'-5", "'@sum", "a", "''=a"}
    assert {cell[2] for cell in cells} == {"'=1+1 is wrong"}
    assert {(row["sample"], row["reason"]) for row in read_failures(table)} == {
        (name, "=1+1 is wrong") for name in names
    }


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([30_000 / 1001], {"trained_rate": 29.97}),
        ([25.0, 25.0, 120.0], {"trained_rate": 25.0}),
        ([0.5], {}),
        ([], {}),
    ],
)
def test_the_rate_of_an_export_is_the_median_of_its_samples(tmp_path, rates, expected):
    paths = []
    for number, (rate, frames) in enumerate([*((rate, 50) for rate in rates), (25.0, 1)]):
        paths.append(tmp_path / f"{number}.parquet")
        with TableWriter(paths[-1], frame_schema(), {}) as table:
            table.write(frame=np.arange(frames, dtype=np.int32), time_s=np.arange(frames) / rate)
    assert measure_rate(paths) == expected

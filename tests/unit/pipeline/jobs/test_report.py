"""The job that writes the report: what it gathers."""

import platform

import numpy

from circumplex.config.modalities import Framing, Modality
from circumplex.config.samples import Sample, Split
from circumplex.pipeline.jobs.report import as_feature, describe_run, describe_sample, read_entries
from circumplex.pipeline.requests import ReportRequest
from circumplex.pipeline.store import Entry, Status, write_index

SAMPLE = Sample(
    sample="a",
    video=None,
    subject="left",
    faces=None,
    audio=None,
    annotation=None,
    split=Split.VAL,
    group="g",
)
ENTRIES = {
    "align_faces": Entry(Status.OK, "align_faces/a.parquet", "0", "align_faces"),
    "fill_frames": Entry(Status.FAILED, stage="fill_frames", reason="r"),
    "extract_audio": Entry(Status.ABSENT, stage="extract_audio", reason="no audio stream"),
    "read_labels": Entry(Status.ABSENT, stage="read_labels", reason="no annotation"),
}


def test_a_sample_has_its_tables_failures_and_absent_modalities(tmp_path):
    found = describe_sample(SAMPLE, ENTRIES, tmp_path, [("fill_frames", "r")])
    assert (found.name, found.split, found.subject, found.group) == ("a", "val", "left", "g")
    assert found.faces == tmp_path / "align_faces/a.parquet"
    assert found.fill is None
    assert found.labels is None
    assert found.quality is None
    assert found.failures == (("fill_frames", "r"),)
    # The sheet names no annotation: that there are no labels is no news.
    assert found.absent == ("extract_audio: no audio stream",)


def test_labels_that_the_sheet_names_are_absent_aloud(tmp_path):
    sample = SAMPLE.__class__(**{**vars(SAMPLE), "annotation": tmp_path / "a.txt"})
    found = describe_sample(sample, ENTRIES, tmp_path, [])
    assert found.absent == ("extract_audio: no audio stream", "read_labels: no annotation")


def test_indexes_are_read_by_stage_and_shard(tmp_path):
    places = [tmp_path / "x" / "0.json", tmp_path / "x" / "1.json", tmp_path / "y" / "0.json"]
    for number, place in enumerate(places):
        write_index(place, {f"s{number}": ENTRIES["align_faces"]})
    entries = read_entries(places)
    found = {stage: {k: list(v) for k, v in shards.items()} for stage, shards in entries.items()}
    assert found == {"x": {"0": ["s0"], "1": ["s1"]}, "y": {"0": ["s2"]}}


def test_a_run_is_described_by_versions_machine_and_what_is_left_out():
    request = ReportRequest("make_report", "c", [], [], [], [], {}, [], {}, ["b", "a"])
    facts = describe_run(request)
    assert facts["Python"] == platform.python_version()
    assert facts["numpy"] == numpy.__version__
    assert facts["Excluded samples"] == "b, a"


def test_a_feature_is_what_its_request_says():
    options = {"modality": "audio", "dimension": 4, "framing": "mean", "imported": True}
    feature = as_feature("x", options)
    assert (feature.name, feature.dimension, feature.imported) == ("x", 4, True)
    assert feature.modality is Modality.AUDIO
    assert feature.framing is Framing.MEAN
    assert as_feature("y", {**options, "framing": None}).framing is None

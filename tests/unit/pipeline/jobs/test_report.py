"""The job that writes the report: what it gathers."""

import platform
import subprocess
from datetime import UTC, datetime

import numpy

from circumplex.config.features import FEATURES
from circumplex.config.modalities import Framing, Modality
from circumplex.config.samples import Sample, Split
from circumplex.pipeline.jobs.report import (
    as_feature,
    describe_machine,
    describe_run,
    describe_sample,
    find_members,
    find_players,
    package_versions,
    read_entries,
)
from circumplex.pipeline.requests import ReportRequest
from circumplex.pipeline.store import Entry, Status, write_index
from circumplex.report.feature_cards import make_card
from places import ROOT

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


REQUEST = ReportRequest(
    "make_report",
    "c",
    sources=[],
    stages=[],
    ensembles={
        "both": {"valence": ["x/all/seed0", "y/all/seed0"], "arousal": ["x/all/seed0"]},
        "one": {"valence": ["z/all/seed0"], "arousal": ["z/all/seed0"]},
    },
    runs=[],
    tables=[],
    players=[],
    random_weights={},
    models=[],
    features={
        "densenet": {"weights": "trained:expression_densenet"},
        "vggish": {"weights": "random:3", "pca": "published:vggish_pca"},
        "egemaps": {},
    },
    excluded=["b", "a"],
)


def test_a_run_is_described_in_three_lines():
    run = describe_run(REQUEST, ["config.yaml", "demo.yaml"])
    assert list(run) == ["Run", "Versions", "Weights"]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert f"commit {commit.stdout[:10]}; config config.yaml, demo.yaml" in run["Run"]
    assert f"{datetime.now(UTC):%Y}" in run["Run"]
    assert f"Python {platform.python_version()}, circumplex " in run["Versions"]
    assert run["Weights"] == (
        "densenet trained in this run (expression_densenet); vggish random:3; "
        "vggish.pca published:vggish_pca"
    )


def test_facts_are_machine_versions_and_what_is_left_out():
    facts = describe_machine(REQUEST)
    assert facts["Machine"] == platform.platform()
    assert facts["numpy"] == numpy.__version__
    assert facts["Excluded samples"] == "b, a"


def test_packages_that_are_not_installed_are_not_named():
    assert package_versions(["numpy", "no-such-package"]) == {"numpy": numpy.__version__}


def test_members_are_found_by_ensemble_and_target(tmp_path):
    x, y, z = (tmp_path / name for name in "xyz")
    assert find_members(REQUEST, [x, y, z]) == {
        "both": {"valence": [x, y], "arousal": [x]},
        "one": {"valence": [z], "arousal": [z]},
    }


def test_players_have_the_names_of_their_files():
    assert find_players(["a", "b?"])["a"] == "player/a.html"
    assert find_players(["a", "b?"])["b?"].startswith("player/b_-")


def test_a_feature_is_what_its_request_says():
    options = {"modality": "audio", "dimension": 4, "framing": "mean", "imported": True}
    feature = as_feature("x", options)
    assert (feature.name, feature.dimension, feature.imported) == ("x", 4, True)
    assert feature.modality is Modality.AUDIO
    assert feature.framing is Framing.MEAN
    assert as_feature("y", {**options, "framing": None}).framing is None


def test_a_card_says_what_the_feature_is():
    options = {"modality": "audio", "dimension": 128, "framing": "nearest", "imported": False}
    described = as_feature("vggish", options)
    assert described.text == FEATURES["vggish"].text
    card = make_card(described, {**options, "weights": "random:3"}, (), "")
    assert card.network.startswith("VGGish")
    assert card.licence == "Apache-2.0"
    imported = as_feature("vggish", {**options, "imported": True})
    assert make_card(imported, options, (), "").network == "imported from your own files"

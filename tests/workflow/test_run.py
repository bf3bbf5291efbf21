"""The main job on the tiny corpus: from videos to submission files and a report."""

import base64
import csv
import json
import re

import numpy as np
import pyarrow.parquet as pq

from circumplex.io.parquet import count_rows, read_columns, read_metadata
from circumplex.report.quality import read_quality, read_sheet
from circumplex.submissions.files import check_submission
from projects import Outcome, Project
from submitted import read_submission

DIMENSIONS = {
    "densenet": 342,
    "iresnet": 512,
    "fau": 512,
    "egemaps": 23,
    "compare": 130,
    "vggish": 128,
    "wav2vec2": 768,
}
AUDIO = {"egemaps", "compare", "vggish", "wav2vec2"}
TEST_SAMPLES = {"clip06", "clip07"}


def rows(project: Project) -> list[dict[str, str]]:
    with (project.corpus / "samples.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_run_ends_with_submissions_a_table_and_a_report(
    finished: tuple[Project, Outcome],
) -> None:
    project, outcome = finished
    frames = {s: count_rows(project.results / f"extract_frames/{s}.parquet") for s in TEST_SAMPLES}
    check_submission(project.results / "submissions/main", frames)
    for sample in TEST_SAMPLES:
        values = read_submission(project.results / f"submissions/main/{sample}.txt")
        assert np.ptp(values, axis=0).min() > 0, "a constant prediction has read no feature"
    scores = pq.read_table(project.results / "evaluate/ccc.parquet").to_pylist()
    assert {row["split"] for row in scores} == {"val", "fold1", "fold2"}
    closing = outcome.text[outcome.text.rindex("SEEDED RANDOM WEIGHTS") :]
    for named in ("submissions/main (2 files)", "evaluate/ccc.md", "report.html"):
        assert named in closing


def test_every_sample_has_every_feature_under_a_plain_path(
    finished: tuple[Project, Outcome],
) -> None:
    project, _ = finished
    for row in rows(project):
        for feature, dimension in DIMENSIONS.items():
            path = project.results / f"extract_{feature}" / f"{row['sample']}.parquet"
            if row["sample"] == "clip02" and feature in (
                "egemaps",
                "compare",
                "vggish",
                "wav2vec2",
            ):
                assert not path.exists(), "clip02 has no sound"
                continue
            column = pq.read_schema(path).field(feature)
            assert column.type.list_size == dimension
    index = json.loads(next((project.results / "pack_features/vggish").glob("*.json")).read_text())
    assert index["dimension"] == 128


def test_random_weights_are_named_in_tables_log_and_report(
    finished: tuple[Project, Outcome],
) -> None:
    project, outcome = finished
    # The visual networks are trained in this run: see test_backbones.py.
    expected = {"vggish": 3, "wav2vec2": 4}
    for feature, seed in expected.items():
        metadata = read_metadata(project.results / f"extract_{feature}/clip01.parquet")
        assert metadata["options"]["weights"] == f"random:{seed}"
        assert f"{feature} (random:{seed})" in outcome.text
        page = (project.results / "report.html").read_text()
        assert f"{feature} (random:{seed})" in page[: page.index("CCC")]
    for feature in ("densenet", "iresnet", "fau"):
        assert f"{feature} (random" not in outcome.text


def test_filled_frames_take_the_feature_of_their_source(
    finished: tuple[Project, Outcome],
) -> None:
    project, _ = finished
    path = project.results / "extract_densenet/clip01.parquet"
    source, values = read_columns(path, ["source_frame", "densenet"])
    (valid,) = read_columns(project.results / "align_faces/clip01.parquet", ["valid"])
    assert not valid.all(), "clip01 holds a stretch without a face"
    assert valid[source].all()
    np.testing.assert_array_equal(values, values[source])


def test_every_sample_has_a_contact_sheet_and_its_numbers(
    finished: tuple[Project, Outcome],
) -> None:
    project, _ = finished
    sheets = (project.results / "report/faces-001.html").read_text()
    report = (project.results / "report.html").read_text()
    assert 'href="report/faces-001.html"' in report
    for row in rows(project):
        name = row["sample"]
        table = project.results / f"summarise_quality/{name}.parquet"
        quality = read_quality(table)
        frames, valid, switches = read_columns(
            project.results / f"align_faces/{name}.parquet", ["frame", "valid", "subject_switch"]
        )
        assert quality.frames == len(frames)
        assert quality.valid_share == valid.mean()
        assert quality.switches == switches.sum()
        assert (quality.level_dbfs is None) == (name == "clip02"), "clip02 has no sound"
        sheet = base64.b64encode(read_sheet(table) or b"").decode()
        assert f"data:image/jpeg;base64,{sheet}" in sheets
        assert f'<span class="name">{name}</span>' in sheets
        assert re.search(rf'<th data-key="name">(<a [^>]*>)?{name}<', report)


def test_a_second_run_does_nothing(project: Project) -> None:
    again = project.snakemake()
    assert again.code == 0
    assert again.rules == set()
    assert "Nothing to be done" in again.text

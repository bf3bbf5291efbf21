"""Prediction as a contract: an exported ensemble, new videos, no training sample in the sheet."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from circumplex.io.parquet import read_columns
from circumplex.predictions.table import PredictionTable
from projects import CONFIGS, Project


def check_files_for_people(predicted: Path, table: PredictionTable, said: str) -> None:
    """The CSV file, the summary and the pages of the only sample, ``new``, hold its predictions."""
    with (predicted / "predictions/new.csv").open(encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    values = [[float(row["valence"]), float(row["arousal"])] for row in rows]
    np.testing.assert_allclose(values, table.values("new"), atol=1e-6)
    (valid,) = read_columns(predicted / "align_faces/new.parquet", ["valid"])
    assert [row["face"] == "seen" for row in rows] == valid.tolist()
    with (predicted / "summary.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["file"] == "predictions/new.csv"
    assert float(row["valence_mean"]) == pytest.approx(table.values("new")[:, 0].mean(), abs=1e-5)
    assert "random weights" in row["notes"]
    page = (predicted / "player/new.html").read_text()
    assert "random weights" in page[: page.index("<main>")]
    assert 'href="player/new.html"' in (predicted / "player.html").read_text()
    closing = said[said.rindex("SEEDED RANDOM WEIGHTS") :]
    for named in ("predicted/summary.csv", "predicted/player.html"):
        assert named in closing


def test_an_exported_ensemble_predicts_new_videos(project: Project) -> None:
    target = ".test/results/exports/main/ensemble.json"
    assert project.snakemake(target).code == 0
    shutil.copytree(project.results / "exports/main", project.root / "exported")
    before = PredictionTable(project.results / "ensemble_predictions/main.parquet")
    sheet = project.root / "new.tsv"
    sheet.write_text("sample\tvideo\tsplit\nnew\t.test/corpus/videos/clip07.mp4\tpredict\n")
    overlay = {"samples": "new.tsv", "results": "predicted", "export": "exported", "shards": 1}
    (project.root / "predict.yaml").write_text(yaml.safe_dump(overlay))
    configs = (*CONFIGS, "predict.yaml")
    outcome = project.snakemake(configs=configs)
    assert outcome.code == 0, outcome.text
    assert "train_encoder" not in outcome.rules
    after = PredictionTable(project.root / "predicted/ensemble_predictions/main.parquet")
    np.testing.assert_array_equal(after.values("new"), before.values("clip07"))
    predicted = project.root / "predicted"
    assert "new" in (predicted / "report.html").read_text()
    check_files_for_people(predicted, after, outcome.text)
    project.edit("config/demo.yaml", "hop_s: 0.24", "hop_s: 0.48")
    refused = project.snakemake(configs=configs)
    assert refused.code == 1
    assert "vggish: extract_vggish: hop_s is 0.48, the export has 0.24" in refused.text

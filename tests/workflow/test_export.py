"""Prediction as a contract: an exported ensemble, new videos, no training sample in the sheet."""

import shutil

import numpy as np
import yaml

from circumplex.predictions.table import PredictionTable
from projects import CONFIGS, Project


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
    assert "new" in (project.root / "predicted/report.html").read_text()
    project.edit("config/demo.yaml", "hop_s: 0.24", "hop_s: 0.48")
    refused = project.snakemake(configs=configs)
    assert refused.code == 1
    assert "vggish: extract_vggish: hop_s is 0.48, the export has 0.24" in refused.text

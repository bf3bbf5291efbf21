import json

import numpy as np
import pytest

from circumplex.ccc import ccc
from circumplex.predictions.table import PredictionWriter
from demo.checks.ensembles import read_ensembles, report, score_table
from demo.checks.score import ScoreError

MEMBERS = {"valence": ["a/official/seed0", "b/official/seed0"], "arousal": ["b/official/seed0"]}


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    with PredictionWriter(path, {}) as writer:
        for sample, rows in values.items():
            writer.write(sample, np.arange(len(rows)) / 30, rows)


@pytest.fixture
def run(tmp_path):
    draw = np.random.default_rng(0)
    true = {name: draw.uniform(-1, 1, (frames, 2)) for name, frames in (("x", 30), ("y", 50))}
    noisy = [
        {
            name: np.clip(rows + draw.normal(0, 0.4, rows.shape), -1, 1)
            for name, rows in true.items()
        }
        for _ in range(2)
    ]
    for name, rows in true.items():
        (tmp_path / "truth").mkdir(exist_ok=True)
        shown = rows.copy()
        shown[3] = -5
        lines = ["valence,arousal", *(f"{v},{a}" for v, a in shown)]
        (tmp_path / f"truth/{name}.txt").write_text("\n".join(lines))
    for letter, values in zip("ab", noisy, strict=True):
        write(tmp_path / f"smooth_predictions/{letter}/official/seed0.parquet", values)
    both = {
        name: np.stack([(noisy[0][name][:, 0] + noisy[1][name][:, 0]) / 2, noisy[1][name][:, 1]], 1)
        for name in true
    }
    write(tmp_path / "ensemble_predictions/main.parquet", both)
    (tmp_path / "manifest.json").write_text(json.dumps({"ensembles": {"main": MEMBERS}}))
    return tmp_path, true, noisy


def test_scores_are_the_metrics_over_annotated_frames(run):
    folder, true, noisy = run
    path = folder / "smooth_predictions/a/official/seed0.parquet"
    kept = {name: np.arange(len(rows)) != 3 for name, rows in true.items()}
    for column in (0, 1):
        x, y = (
            np.concatenate([of[name][kept[name], column] for name in true])
            for of in (noisy[0], true)
        )
        assert score_table(folder / "truth", path, column) == pytest.approx(ccc(x, y), abs=1e-5)


def test_a_mean_of_independent_errors_holds_and_a_bad_ensemble_does_not(run, capsys):
    folder, true, _ = run
    assert read_ensembles(folder) == {"main": MEMBERS}
    assert report(folder / "truth", folder, "main", MEMBERS)
    assert "DOES NOT HOLD" not in capsys.readouterr().out
    write(folder / "ensemble_predictions/main.parquet", {n: -rows for n, rows in true.items()})
    assert not report(folder / "truth", folder, "main", MEMBERS)
    assert "DOES NOT HOLD" in capsys.readouterr().out


def test_what_cannot_be_scored_is_refused(run):
    folder, true, _ = run
    with pytest.raises(ScoreError, match="no manifest"):
        read_ensembles(folder / "truth")
    write(folder / "ensemble_predictions/main.parquet", {"x": true["x"]})
    with pytest.raises(ScoreError, match="y: 0 of 50 frames"):
        score_table(folder / "truth", folder / "ensemble_predictions/main.parquet", 0)
    with pytest.raises(ScoreError, match="no truth"):
        score_table(folder, folder / "ensemble_predictions/main.parquet", 0)

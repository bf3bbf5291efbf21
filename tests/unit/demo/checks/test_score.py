import json
import subprocess
import sys

import numpy as np
import pytest

from demo.checks import score
from places import ROOT


def test_ccc_on_values_worked_out_by_hand():
    # Means 1 and 2, variances 2/3 and 2/3, covariance 2/3: 2 * (2/3) / (4/3 + 1) = 4/7.
    assert score.ccc(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(4 / 7)
    assert score.ccc(np.array([1.0, -1.0]), np.array([-1.0, 1.0])) == -1
    assert score.ccc(np.ones(3), np.array([0.0, 1.0, 2.0])) == 0


@pytest.fixture
def scored(tmp_path):
    truth, answer = tmp_path / "truth", tmp_path / "answer"
    for folder in (truth, answer):
        folder.mkdir()
    (truth / "a.txt").write_text("valence,arousal\n0,0.5\n-5,-5\n0.5,-0.5\n")
    (truth / "b.txt").write_text("valence,arousal\n1,0\n0.2,-5\n")
    (answer / "a.txt").write_text("valence,arousal\n0.1,0.5\n0.9,0.9\n0.4,-0.5\n")
    (answer / "b.txt").write_text("valence,arousal\n0.7,0\n-1,-1\n")
    return truth, answer


def test_score_joins_samples_and_leaves_out_what_is_not_annotated(scored):
    result = score.score(*scored)
    y, x = np.array([0, 0.5, 1.0]), np.array([0.1, 0.4, 0.7])
    covariance = np.cov(y, x, bias=True)[0, 1]
    expected = 2 * covariance / (y.var() + x.var() + (0.5 - 0.4) ** 2)
    assert result["valence"] == pytest.approx(expected)
    assert result["arousal"] == pytest.approx(1)
    assert result["mean"] == pytest.approx((expected + 1) / 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "b is missing"),
        ("valence,arousal\n0,0\n", "b: 1 rows, expected 2"),
        ("arousal,valence\n0,0\n0,0\n", "first line"),
        ("valence,arousal\n0,0\nnan,0\n", "not in"),
        ("valence,arousal\n0,0\n-5,-5\n", "not in"),
        ("valence,arousal\n0,0\n0\n", "two values"),
        ("valence,arousal\n0,0\nhello,0\n", "hello"),
        ("", "first line"),
    ],
)
def test_score_refuses(scored, text, message):
    truth, answer = scored
    (answer / "b.txt").unlink()
    if text is not None:
        (answer / "b.txt").write_text(text)
    with pytest.raises(score.ScoreError, match=message):
        score.score(truth, answer)


def test_score_command(scored):
    truth, answer = scored
    command = [sys.executable, "-m", "demo.checks.score", "--truth", truth, "--submission", answer]
    done = subprocess.run(
        [*command, "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {answer.name: score.score(truth, answer)}
    (answer / "a.txt").unlink()
    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "a is missing" in failed.stderr

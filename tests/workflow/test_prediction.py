"""From videos to predictions with nothing to train and nothing to fetch, as a new user has it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from circumplex.predictions.table import PredictionTable
from clips import write_video
from demo.corpus.film import draw
from demo.corpus.stills import plan_stills
from projects import Project, copy_project

FRAMES = 12


def write_drawn(path: Path, person: int) -> None:
    """A drawn person who frowns in the first half and smiles in the second."""
    video = plan_stills(0, "tiny")[person].video
    valence = np.repeat([-0.9, 0.9], FRAMES // 2)
    arousal = np.full(FRAMES, -0.3)
    subject = video.subjects[0]
    cues = {cue: valence if cue.endswith("valence") else arousal for cue in subject.latents.cues}
    drifts = {name: np.zeros(FRAMES) for name in subject.latents.drifts}
    latents = replace(subject.latents, valence=valence, arousal=arousal, cues=cues, drifts=drifts)
    never = np.zeros(FRAMES, bool)
    subject = replace(subject, latents=latents, hidden=never, covered=never)
    film = replace(video, subjects=(subject,), times=np.arange(FRAMES) / 10)
    frames = list(draw(film, [np.zeros(FRAMES)], np.random.default_rng(0)))
    height, width = frames[0].shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(
        path,
        "ffv1",  # lossless: so few frames are poor in other codecs
        frames=FRAMES,
        rate=10,
        size=(width, height),
        picture=lambda _height, _width, frame: frames[frame],
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Project:
    return copy_project(tmp_path / "project")


def predict(checkout: Project, *words: str) -> subprocess.CompletedProcess[str]:
    scripts = str(checkout.root / "workflow/scripts")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
    return subprocess.run(
        [sys.executable, "-m", "circumplex", "predict", *words, "--cores", "2"],
        cwd=checkout.root,
        env={**environment, "PYTHONPATH": scripts},
        capture_output=True,
        text=True,
        check=False,
    )


def test_from_videos_to_predictions(checkout: Project) -> None:
    for person, place in enumerate(("S01/clip", "S02/clip")):
        write_drawn(checkout.root / f"videos/{place}.mkv", person)
    done = predict(checkout, "videos", "--output", "predicted")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("named S01-clip: ") for line in lines)
    assert "predictions: predicted/ensemble_predictions/starter.parquet" in lines
    assert lines[-2].startswith("CSV files:   predicted/summary.csv")
    assert lines[-1] == "player:      predicted/player.html"
    raw = PredictionTable(
        checkout.root / "predicted/predict_frames/starter/pretrained/seed0.parquet"
    )
    assert raw.samples == ["S01-clip", "S02-clip"]
    for sample in raw.samples:
        valence = raw.values(sample)[:, 0]
        half = len(valence) // 2
        assert valence[half:].mean() > valence[:half].mean() + 0.2
    whole = PredictionTable(checkout.root / "predicted/ensemble_predictions/starter.parquet")
    (card,) = whole.metadata["models"]
    assert card["name"] == "starter"
    assert "Trained on: FER+" in (checkout.root / "predicted/report.html").read_text()
    assert any("0.911 of the 2,720" in line for line in lines)

    # An export of it predicts the same, and a video that fails leaves the others as they are.
    target = "predicted/exports/starter/ensemble.json"
    places = ("samples=predicted/samples.tsv", "results=predicted")
    outcome = checkout.snakemake(
        target, configs=("config/starter.yaml",), options=("--config", *places)
    )
    assert outcome.code == 0, outcome.text
    (checkout.root / "videos/broken.mp4").write_bytes(b"no video")
    exported = predict(checkout, "videos", "--model", "predicted/exports/starter", "--output", "o")
    assert exported.returncode == 1
    failed = "broken: failed in extract_frames: the media file cannot be opened"
    assert [line.startswith(failed) for line in exported.stderr.splitlines()].count(True) == 1
    *_, csv_files, player, empty, heading, failed = exported.stdout.splitlines()
    assert csv_files.startswith("CSV files:   o/summary.csv")
    assert (player, empty) == ("player:      o/player.html", "")
    assert heading.startswith("1 of the samples failed; all others were finished.")
    assert failed.startswith("  broken: extract_frames: the media file cannot be opened")
    again = PredictionTable(checkout.root / "o/ensemble_predictions/starter.parquet")
    for sample in raw.samples:
        np.testing.assert_array_equal(again.values(sample), whole.values(sample))
    assert again.metadata["models"] == whole.metadata["models"]

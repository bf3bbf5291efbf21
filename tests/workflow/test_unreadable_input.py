"""Files that the user may not read, or that are none: they fail their samples and nothing else."""

import wave
from pathlib import Path

import numpy as np
import pytest
import yaml

from plain_user import without_bypass
from projects import Project, copy_project

FRAMES = 30
STAGES = ("extract_frames", "read_labels")
TARGETS = [f".test/results/index/{stage}/000-of-001.json" for stage in STAGES]


def write_sample(folder: Path, name: str) -> None:
    values = np.random.default_rng(len(name)).integers(-3000, 3000, 16_000).astype("<i2")
    with wave.open(str(folder / f"{name}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(values.tobytes())
    (folder / f"{name}.txt").write_text("valence,arousal\n" + "0.1,0.2\n" * FRAMES)


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project without the tiny corpus."""
    return copy_project(tmp_path / "project")


@pytest.fixture
def films(fresh: Project) -> Path:
    """Two good samples, and some that cannot be read."""
    films = fresh.corpus / "films"
    (films / "locked").mkdir(parents=True)
    names = ("good", "also", "secret", "unread", "locked/inside")
    for name in names:
        write_sample(films, name)
    rows = {name: (f"{name}.wav", f"{name}.txt") for name in names}
    rows |= {
        "device": ("/dev/zero", "good.txt"),
        "long": ("x" * 300, "good.txt"),
        "loop": ("loop.wav", "good.txt"),
        "whole": ("good.wav", "/dev/zero"),
    }
    (films / "loop.wav").symlink_to("loop.wav")
    lines = ["sample\tvideo\tannotation\tsplit"]
    for name, files in rows.items():
        cells = [file if file.startswith("/") else f"films/{file}" for file in files]
        split = "val" if name == "also" else "train"
        lines.append("\t".join([name.replace("/", "_"), *cells, split]))
    (fresh.corpus / "samples.tsv").write_text("\n".join(lines) + "\n")
    return films


def test_what_may_not_be_read_fails_by_name_at_every_start(fresh: Project, films: Path) -> None:
    experiments = {"lstm_DIF_WVCE": {"features": ["egemaps"]}, "transformer_D_WC": None}
    config = {"shards": 1, "experiments": experiments}
    config["ensembles"] = {"main": {"arousal": ["lstm_DIF_WVCE"]}}
    (fresh.root / "overlay.yaml").write_text(yaml.safe_dump(config))
    configs = ("config/demo.yaml", "config/tiny.yaml", "overlay.yaml")

    def run() -> str:
        outcome = fresh.snakemake(*TARGETS, configs=configs, before=without_bypass())
        assert outcome.code == 0, outcome.text
        return outcome.text

    first = run()
    for sample, problem in {
        "device": "is a device, not a file",
        "long": "has a longer name than the file system allows",
        "loop": "is a link that leads back to itself",
    }.items():
        assert f"{sample}: failed in extract_frames: the media file {problem}" in first
    assert "whole: failed in read_labels: annotation /dev/zero is a device" in first
    for name in ("good", "also", "secret", "unread", "locked_inside"):
        assert f"{name}: failed" not in first
    (films / "secret.wav").chmod(0)
    (films / "unread.txt").chmod(0)
    (films / "locked").chmod(0o600)
    try:
        second = run()
        third = run()
    finally:
        (films / "locked").chmod(0o700)
    assert "secret: failed in extract_frames: the media file may not be read" in second
    assert "unread: failed in read_labels: annotation" in second
    assert "locked_inside: failed in extract_frames: the media file lies in a folder" in second
    assert "good: failed" not in second
    assert "failed in" not in third, "nothing has changed: nothing is tried again"
    (films / "secret.wav").chmod(0o600)
    (films / "unread.txt").chmod(0o600)
    assert "secret: failed" not in run()
    assert (fresh.results / "extract_frames/secret.parquet").is_file()
    assert (fresh.results / "read_labels/unread.parquet").is_file()

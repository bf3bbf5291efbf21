import csv
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from demo.checks import score
from demo.corpus.make import COLUMNS, GENERATORS, make_corpus
from places import ROOT


def pictures(path):
    with av.open(str(path)) as container:
        frames = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]
    return [float(time) for time, _ in frames], [pixels for _, pixels in frames]


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sheet(corpus):
    with (corpus / "samples.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files_and_another_seed_others(tiny, tmp_path):
    assert make_corpus(0, "tiny", tmp_path / "data", tmp_path / "truth", workers=1)
    assert files(tmp_path) == files(tiny)

    assert not list(tmp_path.glob(".*"))  # nothing temporary stays behind


@pytest.mark.slow
def test_a_second_call_touches_nothing(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    assert not make_corpus(0, "tiny", tiny / "data", tiny / "truth")
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before


def test_every_module_that_the_generator_imports_counts_for_the_stamp():
    code = (
        "import sys, demo.corpus.make; "
        "print(*[m for m in sys.modules if m[:12] == 'demo.corpus.' or m == 'torch'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.split()) == [f"demo.corpus.{name}" for name in GENERATORS]
    assert "torch" not in done.stdout


def test_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="mine"):
        make_corpus(0, "tiny", tmp_path / "mine", tmp_path / "truth")
    with pytest.raises(ValueError, match="apart"):
        make_corpus(0, "tiny", tmp_path / "data", tmp_path / "data" / "truth")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


@pytest.mark.slow
def test_layout(tiny):
    rows = sheet(tiny / "data")
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 8
    assert len({row["sample"] for row in rows}) == 8
    for split, folder in (("train", "Train_Set"), ("val", "Validation_Set"), ("test", "")):
        names = [row["sample"] for row in rows if row["split"] == split]
        assert len(names) >= 2
        assert (tiny / f"data/splits/{split}.txt").read_text().split() == names
        for row in rows:
            if row["split"] == split and folder:
                base = "annotations/VA_Estimation_Challenge"
                assert row["annotation"] == f"{base}/{folder}/{row['sample']}.txt"
                assert (tiny / "data" / row["annotation"]).is_file()
    hidden = {row["sample"] for row in rows if row["split"] == "test"}
    assert all(row["annotation"] == "" for row in rows if row["split"] == "test")
    assert {path.stem for path in (tiny / "truth").glob("*.txt")} == hidden
    assert not [path for path in (tiny / "data").rglob("*.txt") if path.stem in hidden]
    assert len({row["group"] for row in rows if row["split"] != "test"}) >= 5
    for group in {row["group"] for row in rows}:
        assert len({row["split"] for row in rows if row["group"] == group}) == 1
    assert all((tiny / "data" / row["video"]).is_file() for row in rows)


@pytest.mark.slow
def test_hard_cases_are_there(tiny):
    silent, uneven, longer, unlabelled = [], [], [], []
    for row in sheet(tiny / "data"):
        path = tiny / "data" / row["video"]
        with av.open(str(path)) as container:
            if not container.streams.audio:
                silent.append(row["sample"])
            else:
                assert container.streams.audio[0].codec_context.name == "aac"
            assert container.streams.video[0].codec_context.name == "h264"
        times, frames = pictures(path)
        assert times[0] == 0
        gaps = np.diff(times)
        if gaps.max() > 1.5 * gaps.min():
            uneven.append(row["sample"])
        else:
            np.testing.assert_allclose(gaps, 0.04, atol=1e-3)
        text = tiny / "data" / row["annotation"] if row["annotation"] else None
        labels = score.read_rows(text or tiny / "truth" / f"{row['sample']}.txt")
        if len(labels) != len(frames):
            assert len(labels) == len(frames) + 2
            longer.append(row["split"])
        if (labels == -5).any():
            unlabelled.append(row["sample"])
            np.testing.assert_array_equal(*(labels == -5).T)
        kept = labels[(labels != -5).all(axis=1)]
        assert len(kept) > 20
        assert np.abs(kept).max() <= 1
    assert len(silent) == len(uneven) == len(longer) == 1
    assert longer == ["train"]
    assert unlabelled
    pair = [row for row in sheet(tiny / "data") if row["subject"] != "largest"]
    assert [row["subject"] for row in pair] == ["left", "right"]
    assert [row["sample"] for row in pair] == [
        f"{Path(pair[0]['video']).stem}_{s}" for s in ("left", "right")
    ]
    assert pair[0]["video"] == pair[1]["video"]
    assert pair[0]["group"] == pair[1]["group"]


@pytest.mark.slow
def test_voice_is_loud_enough_and_never_clipped(tiny):
    with av.open(str(tiny / "data/videos/clip01.mp4")) as container:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    assert 0.01 < np.sqrt(np.mean(sound**2)) < 0.5
    assert np.abs(sound).max() < 1.0

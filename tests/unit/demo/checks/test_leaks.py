import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from circumplex.io.parquet import TableWriter, frame_schema, vector_field
from demo.checks import leaks
from places import ROOT


def write_results(corpus, truth, results, box_of, feature_of):
    box = frame_schema(pa.field("valid", pa.bool_()), vector_field("box", 4))
    feature = frame_schema(vector_field("dense", 3))
    rng = np.random.default_rng(0)
    for row in leaks.read_corpus(corpus, truth):
        frames = min(len(row.labels), 50)
        keys = {"frame": np.arange(frames), "time_s": np.arange(frames) / 25}
        labels = row.labels[:frames]
        valid = rng.random(frames) < 0.8
        valid[0] = True
        boxes = np.where(valid[:, None], box_of(rng, labels), np.nan)
        with TableWriter(results / f"align_faces/{row.sample}.parquet", box, {}) as writer:
            writer.write(**keys, valid=valid, box=boxes)
        with TableWriter(results / f"extract_dense/{row.sample}.parquet", feature, {}) as writer:
            writer.write(**keys, dense=feature_of(rng, labels))


def noise_box(rng, labels):
    corner = rng.normal(100, 5, (len(labels), 2))
    return np.hstack([corner, corner + rng.normal(80, 3, (len(labels), 2))])


def telling_box(rng, labels):
    boxes = noise_box(rng, labels)
    boxes[:, 3] = boxes[:, 1] + 80 + 10 * labels[:, 1]
    return boxes


def noise_feature(rng, labels):
    return rng.normal(size=(len(labels), 3))


@pytest.mark.slow
def test_leaks_finds_arousal_in_the_box_and_nothing_in_noise(tiny, tmp_path):
    write_results(tiny / "data", tiny / "truth", tmp_path / "clean", noise_box, noise_feature)
    write_results(tiny / "data", tiny / "truth", tmp_path / "leaky", telling_box, noise_feature)
    found = leaks.find_leaks(tiny / "data", tiny / "truth", tmp_path / "clean")
    assert max(found["face box"]) < 0.3
    found = leaks.find_leaks(tiny / "data", tiny / "truth", tmp_path / "leaky")
    assert found["face box"][1] > 0.5
    assert found["face box"][0] < 0.3


def test_leaks_finds_labels_that_the_means_of_samples_tell(tmp_path):
    (tmp_path / "truth").mkdir()
    rows = ["sample\tvideo\tsubject\tannotation\tsplit\tgroup"]
    for i in range(24):
        split = ("train", "val", "test")[i % 3]
        name = f"s{i}"
        rows.append(
            f"{name}\tv.mp4\tlargest\t{'' if split == 'test' else name + '.txt'}\t{split}\tg"
        )
        level = np.sin(i)
        text = "valence,arousal\n" + f"{level:.3f},{(-1) ** i * 0.3:.3f}\n" * 9
        (tmp_path / ("truth" if split == "test" else ".") / f"{name}.txt").write_text(text)
    (tmp_path / "samples.tsv").write_text("\n".join(rows) + "\n")

    def tell(rng, labels):
        return np.hstack([labels[:, :1] + rng.normal(0, 0.2, (len(labels), 1)), labels * 0])

    write_results(tmp_path, tmp_path / "truth", tmp_path / "results", noise_box, tell)
    found = leaks.find_leaks(tmp_path, tmp_path / "truth", tmp_path / "results")
    assert found["feature means"][0] > 0.8
    assert found["feature means"][1] < 0.3
    command = [sys.executable, "-m", "demo.checks.leaks", "--corpus", tmp_path]
    command += ["--truth", tmp_path / "truth", "--results", tmp_path / "results"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "feature means" in done.stdout


def test_a_frame_without_a_face_takes_the_nearest_box(tmp_path):
    schema = frame_schema(pa.field("valid", pa.bool_()), vector_field("box", 4))
    boxes = np.array([[i, 0, i + 2, 10 * i] for i in range(6)], float)
    valid = np.array([False, True, False, False, False, True])
    with TableWriter(tmp_path / "align_faces/a.parquet", schema, {}) as writer:
        writer.write(frame=np.arange(6), time_s=np.arange(6) / 25, valid=valid, box=boxes)
    found = leaks.face_boxes(tmp_path, leaks.Row("a", "train", np.zeros((6, 2))))
    one, five = [2, 5, 2, 10], [6, 25, 2, 50]
    assert found.tolist() == [one, one, one, one, five, five]

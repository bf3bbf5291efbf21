import csv
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pytest

from circumplex.backbones.stills import EXPRESSIONS
from circumplex.io.parquet import TableWriter, frame_schema, vector_field
from demo.checks import leaks, score
from demo.corpus.film import draw
from demo.corpus.make import COLUMNS, GENERATORS, annotation_text, make_corpus
from demo.corpus.plan import CASTS, plan_corpus
from demo.corpus.stills import action_units, expression_class, plan_stills
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


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    assert make_corpus(0, "tiny", folder / "data", folder / "truth")
    return folder


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files_and_another_seed_others(tiny, tmp_path):
    assert make_corpus(0, "tiny", tmp_path / "data", tmp_path / "truth", workers=1)
    assert files(tmp_path) == files(tiny)

    assert not list(tmp_path.glob(".*"))  # nothing temporary stays behind


def test_another_seed_gives_other_labels_and_faces():
    first, other = (
        next(video for video in plan_corpus(seed, "tiny") if len(video.times) == 50)
        for seed in (0, 1)
    )
    assert annotation_text(first.subjects[0], 0) != annotation_text(other.subjects[0], 0)
    still = [np.zeros(50)]
    pictures = [next(draw(video, still, np.random.default_rng(9))) for video in (first, other)]
    assert pictures[0].shape == (240, 320, 3)
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 2


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


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 40])
def test_statistics_of_the_demo_hold_for_any_seed(seed):
    videos = plan_corpus(seed, "demo")
    samples = [(video, subject) for video in videos for subject in video.subjects]
    assert len({subject.sample for _, subject in samples}) == len(samples) >= 22
    people = {
        split: {s.person for video, s in samples if video.clip.split == split}
        for split in ("train", "val", "test")
    }
    assert sum(len(group) for group in people.values()) == len(set.union(*people.values()))
    assert sum(len(group) for group in people.values()) >= 14
    assert len(people["test"]) >= 5
    assert sum(video.clip.split == "test" for video in videos) >= 8
    assert all(6 <= video.times[-1] <= 10.5 for video in videos)
    assert all(
        0.5 <= s.hidden.sum() * np.median(np.diff(v.times)) <= 1.6
        for v, s in samples
        if s.hidden.any()
    )

    for split in people:
        chosen = [s for v, s in samples if v.clip.split == split]
        paths = {
            "valence": [s.latents.valence for s in chosen],
            "arousal": [s.latents.arousal for s in chosen],
        }
        truth = {name: np.concatenate(values) for name, values in paths.items()}
        assert abs(np.corrcoef(truth["valence"], truth["arousal"])[0, 1]) < 0.1
        for name, values in paths.items():
            total = truth[name].var()
            assert np.abs(truth[name]).max() <= 0.95
            assert 0.36 < truth[name].std() < 0.55
            means = np.concatenate([np.full(len(path), path.mean()) for path in values])
            assert means.var() < 0.12 * total
            for path in values:  # a mean over 51 frames keeps most of it
                smooth = [path[max(0, j - 25) : j + 26].mean() for j in range(len(path))]
                assert np.std(smooth) > 0.55 * path.std()
                assert 0.35 < path.std() < 0.5
                assert np.abs(np.diff(path)).max() < 0.1
            for drift in ("x", "y", "scale", "light"):
                moved = np.concatenate([s.latents.drifts[drift] for s in chosen])
                assert abs(np.corrcoef(truth[name], moved)[0, 1]) < 0.1


def test_demo_holds_each_hard_case():
    clips = CASTS["demo"].clips
    assert sum(len(clip.people) == 2 for clip in clips) == 1
    assert sum(clip.variable for clip in clips) == 1
    assert [clip.split for clip in clips if not clip.sound] == ["train"]
    assert [clip.extra_rows for clip in clips if clip.extra_rows] == [2]
    assert {clip.suffix for clip in clips} >= {".mp4", ".mkv"}
    assert any(clip.fps != Fraction(25) for clip in clips)
    for split in ("train", "val", "test"):
        assert any(clip.absences for clip in clips if clip.split == split)
        assert any(clip.unlabelled for clip in clips if clip.split == split)


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


def stills_of(corpus):
    with (corpus / "stills" / "stills.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_stills_are_aligned_faces_of_other_people_each_in_one_split(tiny):
    rows = stills_of(tiny / "data")
    people, pictures = CASTS["tiny"].stills
    assert 0.9 * people * pictures <= len(rows) <= people * pictures  # a blurred face may be lost
    splits = {}
    for row in rows:
        assert cv2.imread(str(tiny / "data/stills" / row["image"])).shape == (112, 112, 3)
        assert splits.setdefault(row["subject"], row["split"]) == row["split"]
    assert set(splits.values()) == {"train", "val", "test"}
    filmed = {subject.person for video in plan_corpus(0, "tiny") for subject in video.subjects}
    assert not filmed & splits.keys()
    looks = {tuple(s.video.subjects[0].strata.values()) for s in plan_stills(0, "tiny")}
    assert len(looks) == people
    assert not looks & {
        tuple(s.strata.values()) for v in plan_corpus(0, "tiny") for s in v.subjects
    }


@pytest.mark.slow
def test_the_demos_stills_show_every_class_and_name_no_valence(tiny):
    rows = [
        expression_class(float(v), float(a))
        for sitting in plan_stills(0, "demo")
        for v, a in zip(
            sitting.video.subjects[0].latents.valence,
            sitting.video.subjects[0].latents.arousal,
            strict=True,
        )
    ]
    counts = {name: rows.count(name) for name in EXPRESSIONS}
    assert sum(counts.values()) == len(rows)
    assert min(counts.values()) > 50
    assert not {"valence", "arousal"} & set(stills_of(tiny / "data")[0])


@pytest.mark.parametrize(
    ("valence", "arousal", "expected"),
    [
        (0.1, -0.1, "neutral"),
        (0.8, 0.0, "happiness"),
        (0.4, -0.6, "happiness"),
        (0.2, 0.8, "surprise"),
        (-0.3, 0.7, "fear"),
        (-0.7, 0.4, "anger"),
        (-0.8, 0.0, "disgust"),
        (-0.7, -0.4, "contempt"),
        (-0.2, -0.8, "sadness"),
        (0.1, -0.9, "sadness"),
    ],
)
def test_classes_are_regions_of_the_circumplex(valence, arousal, expected):
    assert expression_class(valence, arousal) == expected


def test_action_units_are_what_the_drawing_moves():
    def units(valence, arousal, speech=0.0):
        return action_units(valence, arousal, speech)

    smile, frown = units(0.8, 0.0), units(-0.8, 0.0)
    assert smile[12] == smile[6] == pytest.approx(4)
    assert smile[15] == smile[4] == 0
    assert frown[15] == pytest.approx(4)
    assert frown[12] == 0
    assert frown[4] == pytest.approx(5 * 0.62)
    raised = units(0.0, 0.6)
    assert raised[2] == pytest.approx(3)
    assert raised[5] == pytest.approx(3)
    assert units(0.0, 0.0, speech=1.0)[26] > units(0.0, 0.0)[26]
    assert units(-0.8, 0.6)[1] < raised[1]  # a frown draws the inner ends down
    assert all(
        0 <= value <= 5 for a in (-1, 0, 1) for v in (-1, 0, 1) for value in units(v, a).values()
    )

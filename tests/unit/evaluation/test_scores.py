import numpy as np
import pytest

from circumplex.ccc import ccc
from circumplex.evaluation.ccc_table import CccTable
from circumplex.evaluation.scores import evaluate, score
from circumplex.predictions.table import PredictionTable, PredictionWriter
from circumplex.targets import Target
from synthetic_data import write_labels


def test_rows_are_over_all_annotated_frames_of_all_samples():
    draw = np.random.default_rng(0)
    pairs = []
    for frames in (5, 1, 40):
        annotation = draw.uniform(-1, 1, size=(frames, 2))
        pairs.append((annotation + draw.normal(size=(frames, 2)), annotation))
    pairs[0][1][2] = np.nan
    pairs[2][1][7, 1] = np.nan  # annotated for valence alone
    pairs.append((np.zeros((3, 2)), np.full((3, 2), np.nan)))
    rows = evaluate("m", "val", iter(pairs))
    assert [row.target for row in rows] == [Target.VALENCE, Target.AROUSAL]
    for column, row in enumerate(rows):
        keep = [~np.isnan(annotation[:, column]) for _, annotation in pairs]
        x = np.concatenate([p[k, column] for (p, _), k in zip(pairs, keep, strict=True)])
        y = np.concatenate([a[k, column] for (_, a), k in zip(pairs, keep, strict=True)])
        assert row.ccc == pytest.approx(ccc(x, y))
        frames = 45 - column
        assert (row.model, row.split, row.frames, row.samples) == ("m", "val", frames, 3)


def test_a_target_that_is_not_annotated_has_no_row(tmp_path):
    draw = np.random.default_rng(1)
    annotation = draw.uniform(-1, 1, size=(20, 2))
    annotation[:, 0] = np.nan
    predictions = draw.uniform(-1, 1, size=(20, 2))
    (row,) = evaluate("m", "val", [(predictions, annotation)])
    assert row.target is Target.AROUSAL
    assert row.ccc == pytest.approx(ccc(predictions[:, 1], annotation[:, 1]))
    table = CccTable()
    table.add([row], kind="ensemble")
    table.write(*(tmp_path / name for name in ("t.parquet", "t.csv", "t.md")))
    cells = [cell.strip() for cell in (tmp_path / "t.md").read_text().split("\n")[2].split("|")]
    assert cells[1:8] == ["m", "val", "–", f"{row.ccc:.3f}", "–", "1", "20"]


def test_clips_count_once_whatever_their_length():
    draw = np.random.default_rng(3)
    labels = draw.uniform(-1, 1, size=(6, 2))
    pairs = []
    for frames, label in zip((3, 200, 1, 40, 7, 12), labels, strict=True):
        annotation = np.tile(label, (frames, 1))
        pairs.append((annotation + draw.normal(0.1, 0.3, size=(frames, 2)), annotation))
    pairs[1][1][100:] = np.nan  # predictions of frames without annotation do not count
    pairs[1][0][100:] = 99
    means = np.array([p[~np.isnan(a[:, 0])].mean(axis=0) for p, a in pairs])
    for column, row in enumerate(evaluate("m", "val", pairs)):
        assert row.clip_ccc == pytest.approx(ccc(means[:, column], labels[:, column]))
        assert row.clip_ccc != pytest.approx(row.ccc)
    assert all(np.isnan(row.clip_ccc) for row in evaluate("m", "val", pairs[:1]))


def test_refusals():
    with pytest.raises(ValueError, match="no valid frame"):
        evaluate("m", "val", [])
    with pytest.raises(ValueError, match="annotation"):
        evaluate("m", "val", [(np.zeros((3, 2)), np.zeros((1, 2)))])
    with pytest.raises(ValueError, match="not finite"):
        evaluate("m", "val", [(np.full((3, 2), np.nan), np.zeros((3, 2)))])


SPLITS = {"train0": "train", "val0": "val", "test0": "test", "hidden": "predict", "bare": "val"}


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """Predictions of a sample of each split, of different lengths; one has no annotation."""
    folder = tmp_path_factory.mktemp("scores")
    draw = np.random.default_rng(2)
    labels = {}
    with PredictionWriter(folder / "predictions.parquet", {}) as table:
        for k, sample in enumerate(SPLITS):
            annotation = draw.uniform(-1, 1, size=(4 + k, 2))
            table.write(sample, np.arange(4 + k) / 30, annotation / 2)
            if sample != "bare":
                labels[sample] = write_labels(folder / f"{sample}.parquet", annotation)
    return PredictionTable(folder / "predictions.parquet"), labels


@pytest.mark.parametrize(
    ("split", "frames", "samples"),
    [
        ("val", 5, 1),
        ("test", 6, 1),
        ("out of fold", 4 + 5, 2),
        ("3", 4 + 5, 2),  # a fold's model predicts what the fold held out
    ],
)
def test_a_split_is_scored_on_its_own_annotated_samples(predicted, split, frames, samples):
    table, labels = predicted
    rows = score(table, "m", split, labels, SPLITS)
    assert [(row.model, row.split, row.target) for row in rows] == [
        ("m", split, target) for target in Target
    ]
    assert {(row.frames, row.samples) for row in rows} == {(frames, samples)}


def test_scores_compare_predictions_with_the_annotation_of_the_same_sample(predicted):
    table, labels = predicted
    for row in score(table, "m", "out of fold", labels, SPLITS):
        column = list(Target).index(row.target)
        x = np.concatenate([table.values(name)[:, column] for name in ("train0", "val0")])
        assert row.ccc == pytest.approx(ccc(x, 2 * x), abs=1e-6)


def test_nothing_is_scored_where_no_sample_of_the_split_is_annotated(predicted):
    table, labels = predicted
    assert score(table, "m", "val", {"train0": labels["train0"]}, SPLITS) == []
    assert score(table, "m", "test", labels, {"train0": "train"}) == []

import numpy as np
import pytest

from circumplex.backbones.metrics import ExpressionScore, UnitScore, confusion, unit_counts


def test_confusion_has_true_classes_in_rows():
    truth, predicted = np.array([0, 0, 2, 2, 2]), np.array([0, 1, 2, 0, 2])
    expected = [[1, 1, 0], [0, 0, 0], [1, 0, 2]]
    assert confusion(truth, predicted, 3).tolist() == expected


def test_expression_scores_by_hand():
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 4]])
    score = ExpressionScore(("a", "b", "c"), counts)
    assert score.value == 7 / 10
    values = score.values()
    assert values["images"] == 10
    assert values["accuracy"] == 0.7
    assert values["mean_recall"] == pytest.approx((3 / 4 + 4 / 6) / 2)  # class b never occurs
    assert values["classes"] == ["a", "b", "c"]
    assert values["confusion"] == counts.tolist()


def test_expression_scores_without_images():
    score = ExpressionScore(("a", "b"), np.zeros((2, 2), np.int64))
    assert np.isnan(score.value)
    values = score.values()
    assert (values["images"], values["accuracy"], values["mean_recall"]) == (0, None, None)


def test_counts_of_units_leave_out_what_is_not_annotated():
    truth = np.array([[1, 0], [1, np.nan], [0, 0], [0, 1], [1, np.nan]])
    predicted = np.array([[1, 1], [0, 1], [1, 0], [0, 0], [1, 0]], bool)
    # True and false positives, false and true negatives.
    assert unit_counts(truth, predicted).tolist() == [[2, 1, 1, 1], [0, 1, 1, 1]]


def test_unit_scores_by_hand():
    # Unit 4 is never found, unit 12 is never shown, unit 17 is not annotated at all.
    counts = np.array([[3, 1, 2, 4], [0, 0, 1, 7], [0, 2, 0, 5], [0, 0, 0, 0]])
    score = UnitScore((1, 4, 12, 17), counts)
    f1 = 2 * 3 / (2 * 3 + 1 + 2)
    np.testing.assert_allclose(score.f1, [f1, 0, np.nan, np.nan])
    assert score.value == pytest.approx(f1 / 2)
    values = score.values()
    assert values["images"] == 10
    assert values["mean_f1"] == pytest.approx(f1 / 2)
    assert values["units"]["1"] == {
        "f1": pytest.approx(f1),
        "accuracy": 0.7,
        "annotated": 10,
        "shown": 5,
    }
    assert values["units"]["12"] == {
        "f1": None,
        "accuracy": 5 / 7,
        "annotated": 7,
        "shown": 0,
    }
    assert values["units"]["17"] == {"f1": None, "accuracy": None, "annotated": 0, "shown": 0}


def test_unit_scores_without_a_shown_unit():
    score = UnitScore((1,), np.array([[0, 2, 0, 1]]))
    assert np.isnan(score.value)
    assert score.values()["mean_f1"] is None

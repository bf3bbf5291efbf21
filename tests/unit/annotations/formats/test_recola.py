"""RECOLA: 25 rows a second, a column per annotator."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

HEADER = "time; FM1 ; FM2 ; FM3 ; FF1 ; FF2 ; FF3"
GENERATOR = np.random.default_rng(1)
VALUES = (0.5 * np.sin(np.arange(51) / 9)[:, None] + GENERATOR.normal(0, 0.05, (51, 6))).round(4)


def text():
    rows = (";".join([f"{k / 25:g}", *map(str, row)]) for k, row in enumerate(VALUES))
    return "\n".join([HEADER, *rows]) + "\n"


def test_a_column_is_an_annotator(labels):
    path = labels.write("ratings_individual/arousal/train_1.csv", text())
    assert recognise(path) == "recola"
    values, metadata = labels(path)
    np.testing.assert_allclose(values[:, 1], VALUES.mean(axis=1), atol=1e-6)
    assert np.isnan(values[:, 0]).all()
    agreement = metadata["agreement"]["arousal"]
    assert agreement["annotators"] == 6
    assert 0.8 < agreement["ccc"] < 1
    assert 0.95 < agreement["alpha"] < 1


def test_weights_of_the_evaluator_weighted_estimator(labels):
    path = labels.write("arousal/train_1.csv", text())
    values, metadata = labels(path, combination="ewe")
    mean = VALUES.mean(axis=1)
    weights = np.array([np.corrcoef(column, mean)[0, 1] for column in VALUES.T])
    np.testing.assert_allclose(values[:, 1], VALUES @ (weights / weights.sum()), atol=1e-6)
    found = metadata["agreement"]["arousal"]["weights"]
    np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-6)


def test_a_file_in_no_folder_of_a_target_is_named_in_the_sheet(labels):
    path = labels.write("train_1.csv", text())
    with pytest.raises(SampleError, match="annotation_valence or annotation_arousal"):
        labels(path)
    assert not np.isnan(labels(valence=path)[0][:, 0]).any()


def test_a_file_without_annotators_is_refused(labels):
    with pytest.raises(SampleError, match="no column of an annotator"):
        labels(valence=labels.write("a.csv", "time\n0\n"), layout="recola")

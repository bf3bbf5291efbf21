"""SEWA, with the header of AVEC 2019 and without one as in AVEC 2018."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

HEADER = "name;timestamp;arousal;valence;liking\n"
ROWS = "".join(f"'Train_DE_01';{k / 10:.1f};{k / 40};{-k / 50};0.3\n" for k in range(21))


@pytest.mark.parametrize("text", [HEADER + ROWS, ROWS, ROWS.replace("'", "")])
def test_with_and_without_header(labels, text):
    path = labels.write("Train_DE_01.csv", text)
    assert recognise(path) == "sewa"
    values, _ = labels(path)
    times = np.arange(51) / 25
    np.testing.assert_allclose(values[:, 1], times / 4, atol=1e-6)
    np.testing.assert_allclose(values[:, 0], -times / 5, atol=1e-6)


def test_without_liking(labels):
    path = labels.write("a.csv", "\n".join(line.rpartition(";")[0] for line in ROWS.split("\n")))
    assert recognise(path) == "sewa"
    np.testing.assert_allclose(labels(path)[0][50], [-0.4, 0.5], atol=1e-6)


def test_too_few_columns_are_refused(labels):
    with pytest.raises(SampleError, match="expected name, time"):
        labels(labels.write("a.csv", "name;timestamp\na;0\n"), layout="sewa")

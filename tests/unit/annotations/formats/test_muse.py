"""MuSe and Ulm-TSST: a folder per target, milliseconds, segments."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

ROWS = [(0, 1, 0.5), (500, 1, 0.6), (1000, 2, -0.2), (2000, 2, -0.3)]


def text(order=("timestamp", "segment_id", "value")):
    names = ("timestamp", "segment_id", "value")
    lines = [",".join(order)]
    lines += [",".join(str(row[names.index(name)]) for name in order) for row in ROWS]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "order", [("timestamp", "segment_id", "value"), ("timestamp", "value", "segment_id")]
)
def test_the_folder_says_which_target_it_is(labels, order):
    path = labels.write("label_segments/arousal/1.csv", text(order))
    assert recognise(path) == "muse"
    values, _ = labels(path)
    assert np.isnan(values[:, 0]).all()
    np.testing.assert_allclose(values[[0, 25, 50], 1], [0.5, -0.2, -0.3], atol=1e-7)
    np.testing.assert_allclose(values[:13, 1], 0.5 + 0.1 * np.arange(13) / 12.5, atol=1e-6)


def test_nothing_is_interpolated_across_segments(labels):
    path = labels.write("valence/1.csv", text())
    values, _ = labels(valence=path)
    assert np.isnan(values[13:25, 0]).all(), "between 0.5 s and 1 s"
    assert not np.isnan(values[25:, 0]).any()


def test_the_sheet_may_say_which_target_it_is(labels):
    path = labels.write("1.csv", text())
    with pytest.raises(SampleError, match="no folder named valence or arousal"):
        labels(path)
    assert not np.isnan(labels(arousal=path)[0][0, 1])


def test_seconds_are_refused_with_advice(labels):
    rows = "".join(f"{time / 1000},{segment},{value}\n" for time, segment, value in ROWS)
    path = labels.write("valence/1.csv", "timestamp,segment_id,value\n" + rows)
    with pytest.raises(SampleError, match=r"look like seconds: set labels\.table\.unit to s"):
        labels(path)
    assert not np.isnan(labels(path, table={"unit": "s"})[0][0, 0])


def test_a_missing_column_is_refused(labels):
    path = labels.write("valence/1.csv", "timestamp,value\n0,0\n")
    with pytest.raises(SampleError, match="lacks a column of timestamp, segment_id, value"):
        labels(path, layout="muse")

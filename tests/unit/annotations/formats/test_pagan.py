"""PAGAN: a project's log, out of order."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

HEADER = "OriginalName,DatabaseName,Participant,SessionID,Timestamp,VideoTime,Value\n"
ROWS = [("p1", 0, 0), ("p1", 2, 100), ("p1", 1, 50), ("p2", 0, 10), ("p2", 2, 10), ("p2", 2, 30)]
TABLE = {"range": [0, 100]}


def text(unit=1, name="clip.mp4"):
    rows = (
        f"{name},x-1,{who},s,{1700000000000 + k},{unit * time},{value}\n"
        for k, (who, time, value) in enumerate(ROWS)
    )
    return HEADER + "".join(rows)


def test_rows_are_sorted_and_participants_are_annotators(labels):
    path = labels.write("log.csv", text())
    assert recognise(path) == "pagan"
    values, metadata = labels(arousal=path, table=TABLE)
    # The later of two rows of one time counts: p2 ends at 30.
    np.testing.assert_allclose(values[[0, 25, 50], 1], [-0.9, -0.3, 0.3], atol=1e-6)
    assert metadata["agreement"]["arousal"]["annotators"] == 2


def test_milliseconds_are_found_out(labels):
    path = labels.write("log.csv", text(1000))
    with pytest.raises(SampleError, match="look like milliseconds"):
        labels(arousal=path, table=TABLE)
    values, _ = labels(arousal=path, table={**TABLE, "unit": "ms"})
    np.testing.assert_allclose(values[0, 1], -0.9, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text() + text(name="other.mp4").removeprefix(HEADER), "holds 2 videos, 'clip.mp4' and"),
        (text().replace("VideoTime", "Time"), "lacks a column of OriginalName"),
        (HEADER, "no rows"),
    ],
)
def test_what_is_refused(labels, content, message):
    with pytest.raises(SampleError, match=message):
        labels(arousal=labels.write("log.csv", content), table=TABLE)


def test_range_and_target_must_be_said(labels):
    path = labels.write("log.csv", text())
    with pytest.raises(SampleError, match=r"labels\.table\.range"):
        labels(arousal=path)
    with pytest.raises(SampleError, match="annotation_valence or annotation_arousal"):
        labels(path, table=TABLE)

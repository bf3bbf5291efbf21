"""ELAN's tab-delimited text, without and with a header."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

ROWS = [("valence", 0.0, 1.0, "0.5"), ("valence", 1.0, 1.6, "-0,5"), ("arousal", 0.4, 2.5, "1")]


def clock(seconds):
    return f"00:00:{seconds:06.3f}"


FORMATS = {
    "all": lambda seconds: [clock(seconds), f"{seconds:.3f}", str(round(seconds * 1000))],
    "default": lambda seconds: [clock(seconds), f"{seconds:.3f}"],
    "clock": lambda seconds: [clock(seconds)],
    "seconds": lambda seconds: [f"{seconds:.3f}"],
    "milliseconds": lambda seconds: [str(round(seconds * 1000))],
}


def text(form="default"):
    lines = []
    for tier, begin, end, value in ROWS:
        times = [cell for time in (begin, end, end - begin) for cell in FORMATS[form](time)]
        lines.append("\t".join([tier, "", *times, value]))
    return "\n".join(lines) + "\n"


def check(values):
    np.testing.assert_array_equal(values[:25, 0], 0.5)
    np.testing.assert_array_equal(values[25:40, 0], -0.5)
    assert np.isnan(values[40:, 0]).all()
    assert np.isnan(values[:10, 1]).all()
    np.testing.assert_array_equal(values[10:, 1], 1)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_of_time(labels, form):
    path = labels.write("clip.txt", text(form))
    if form in ("all", "default", "clock"):
        assert recognise(path) == "elan"
    check(labels(path, layout="elan")[0])


def test_a_header_and_lines_of_media(labels):
    media = '"#file:///C:/clip.eaf"\n"#file:///C:/clip.mp4 -- offset: 0"\n'
    header = (
        "Begin Time - ss.msec\tEnd Time - ss.msec\tDuration - ss.msec\tvalence\tarousal\tnote\n"
    )
    rows = "0.0\t1.0\t1.0\t0.5\t\tsmiles\n1.0\t1.6\t0.6\t-0.5\t\t\n0.4\t2.5\t2.1\t\t1\t\n"
    path = labels.write("clip.txt", media + header + rows)
    assert recognise(path) == "elan"
    check(labels(path)[0])


def test_tiers_of_several_annotators(labels):
    content = text() + text().replace("valence", "valence_ben").replace("arousal", "note")
    content = content.replace("note\t", "other\t")
    _, metadata = labels(labels.write("clip.txt", content))
    assert metadata["agreement"]["valence"]["annotators"] == 2
    assert "arousal" not in metadata["agreement"]


def test_one_tier_of_any_name_where_the_sheet_says_what_it_is(labels):
    only = "".join(line for line in text().splitlines(keepends=True) if "valence" in line)
    path = labels.write("clip.txt", only.replace("valence", "mood"))
    with pytest.raises(SampleError, match="the tiers 'mood', of which no name begins"):
        labels(path)
    assert labels(arousal=path)[0][0, 1] == 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows"),
        (text().replace("0.5\n", "happy\n"), "line 1: 'happy' is not a number"),
        ("valence\t\t00:00:01.000\t00:00:00.000\t0\n", "ends at 0 s, before it begins"),
        (text() + text(), "repeats the time"),
        (
            "valence\t\t0.0\t1.0\t1.0\t0\nvalence\t\t0.5\t2.0\t1.5\t0\n",
            "ends at 1 s, before it begins or after the next one does",
        ),
        ("valence\t\tone\ttwo\t0\n", "no begin and end time"),
        ("valence\n", "no begin and end time"),
    ],
)
def test_what_is_refused(labels, content, message):
    with pytest.raises(SampleError, match=message):
        labels(labels.write("clip.txt", content), layout="elan")

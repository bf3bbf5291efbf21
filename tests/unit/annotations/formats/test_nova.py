"""NOVA: a header and its data, as text and binary."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

HEADER = """<?xml version="1.0" ?>
<annotation ssi-v="3">
    <info ftype="{ftype}" size="51" />
    <meta annotator="anna"/>
    <scheme name="{name}" type="{kind}" sr="{rate}" min="{low}" max="{high}" />
</annotation>
"""
SCORES = np.linspace(0, 1, 51)


def write(labels, data=None, file="clip.annotation", **changes):
    facts = {"ftype": "ASCII", "name": "arousal", "kind": "CONTINUOUS", "rate": 25}
    header = HEADER.format(**{**facts, "low": 0, "high": 1, **changes})
    lines = "".join(f"{score:.4f};1\n" for score in SCORES)
    labels.write(f"{file}~", lines if data is None else data)
    return labels.write(file, header)


def test_text(labels):
    path = write(labels)
    assert recognise(path) == "nova"
    values, _ = labels(path)
    np.testing.assert_allclose(values[:, 1], 2 * SCORES - 1, atol=2e-4)
    assert np.isnan(values[:, 0]).all()


def test_binary(labels):
    pairs = np.stack([SCORES, np.ones(51)], axis=1).astype("<f4")
    values, _ = labels(write(labels, pairs.tobytes(), ftype="BINARY", name="valence"))
    np.testing.assert_allclose(values[:, 0], 2 * SCORES - 1, atol=1e-6)
    with pytest.raises(SampleError, match="no multiple of 8"):
        labels(write(labels, pairs.tobytes()[:-3], ftype="BINARY"))


def test_the_rate_is_the_headers(labels):
    values, _ = labels(write(labels, "0;1\n1;1\n0;1\n", rate=1))
    np.testing.assert_allclose(values[[0, 25, 50], 1], [-1, 1, -1], atol=1e-6)


def test_scores_that_are_no_number_are_unannotated(labels):
    values, _ = labels(write(labels, "0.5;1\nNaN;0\n0.5;1\n"))
    assert np.isnan(values[1, 1])
    np.testing.assert_array_equal(values[[0, 2], 1], 0)


def test_annotators_are_headers_of_a_folder(labels):
    write(labels, file="clip/anna.annotation")
    write(labels, "0.5;1\n" * 51, file="clip/ben.annotation")
    _, metadata = labels(labels.folder / "clip")
    assert metadata["agreement"]["arousal"]["annotators"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "DISCRETE"}, "type 'DISCRETE', expected CONTINUOUS"),
        ({"name": "engagement"}, "the scheme 'engagement', neither valence nor arousal"),
        ({"rate": 0}, "the rate lies above 0"),
        ({"rate": "x"}, "numbers for sr, min and max: 'x'"),
        ({"low": 1}, "the minimum below the maximum"),
        ({"data": ""}, "no rows"),
        ({"data": "a;1\n"}, "line 1: 'a' is not a number"),
    ],
)
def test_what_is_refused(labels, changes, message):
    with pytest.raises(SampleError, match=message):
        labels(write(labels, **changes))


def test_missing_data(labels):
    path = write(labels)
    path.with_name("clip.annotation~").unlink()
    with pytest.raises(SampleError, match=r"clip\.annotation~ is missing"):
        labels(path)

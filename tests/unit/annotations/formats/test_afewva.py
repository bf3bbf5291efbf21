"""AFEW-VA: values of -10 to 10 per image, in JSON."""

import json

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError


def text(numbers=range(51), **changes):
    frames = {
        f"{number:05d}": {
            "landmarks": [[1.5, 2.5]] * 68,
            "valence": float(number % 10),
            "arousal": -2.0,
            **changes,
        }
        for number in numbers
    }
    return json.dumps({"video_id": "001", "frames": frames, "actor": "someone"})


@pytest.mark.parametrize("first", [0, 1, 17])
def test_a_row_per_image(labels, first):
    path = labels.write("001/001.json", text(range(first, first + 51)))
    assert recognise(path) == "afewva"
    values, _ = labels(path)
    np.testing.assert_allclose(values[:, 0], np.arange(first, first + 51) % 10 / 10, atol=1e-7)
    np.testing.assert_allclose(values[:, 1], -0.2, atol=1e-7)


def test_an_image_that_is_missing_is_unannotated(labels):
    path = labels.write("a.json", text([*range(20), *range(22, 51)]))
    values, _ = labels(path)
    assert np.flatnonzero(np.isnan(values[:, 0])).tolist() == [20, 21]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "no frames by number"),
        ('{"frames": []}', "no frames by number"),
        ('{"frames": {}}', "has no frames"),
        ('{"frames": {"a": {}}}', "not named by its number"),
        ('{"frames": {"1": {}, "01": {}}}', "number twice"),
        ('{"frames": {"%s": {}}}' % ("9" * 5000), "not named by its number"),
        ('{"frames": {"1": {"valence": 1}}}', "frame 1: valence and arousal are numbers"),
        ('{"frames": {"1": 3}}', "frame 1: valence and arousal are numbers"),
        ('{"frames": {"1": {"valence": true, "arousal": 1}}}', "frame 1"),
        (text(valence=10.5), "frame 0: valence and arousal are numbers of -10 to 10"),
        (text(valence=float("nan")), "frame 0"),
        (text([0, 9_999_999]), "run from 0 to 9999999"),
        (text(range(20)), "20 rows for 51 video frames"),
    ],
)
def test_what_is_refused(labels, content, message):
    with pytest.raises(SampleError, match=message):
        labels(labels.write("a.json", content), layout="afewva")

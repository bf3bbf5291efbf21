"""DARMA: two axes of a joystick."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

TEXT = """"Time of Rating","2024-05-01 10:00:00","",""
"Multimedia File","clip.mp4",2,""
"Magnitude",{magnitude},"",""
"Second","{x}","{y}","Button"
"%%%%%%","%%%%%%","%%%%%%","%%%%%%"
0,10,-20,0
1,-50,,0
2,100,4,1
"""


def text(magnitude=100, x="Valence", y="Arousal"):
    return TEXT.format(magnitude=magnitude, x=x, y=y)


def test_both_axes_are_read(labels):
    path = labels.write("clip.csv", text())
    assert recognise(path) == "darma"
    values, _ = labels(path)
    np.testing.assert_allclose(values[[0, 25, 50], 0], [0.1, -0.5, 1], atol=1e-7)
    np.testing.assert_allclose(values[[0, 50], 1], [-0.2, 0.04], atol=1e-7)
    assert np.isnan(values[1:50, 1]).all()


def test_axes_of_other_names_are_named_in_the_config(labels):
    path = labels.write("clip.csv", text(x="Pleasure", y="Activation"))
    with pytest.raises(SampleError, match="'Pleasure', 'Activation'"):
        labels(path)
    values, _ = labels(path, table={"valence": ["Pleasure"], "arousal": ["Activation"]})
    np.testing.assert_allclose(values[0], [0.1, -0.2], atol=1e-7)


@pytest.mark.parametrize("magnitude", ["", "much", 0, -3, "inf", "nan"])
def test_a_magnitude_is_needed(labels, magnitude):
    with pytest.raises(SampleError, match="states no magnitude above 0"):
        labels(labels.write("clip.csv", text(magnitude)))

"""CARMA: its layout of today and that of 2014."""

import numpy as np
import pytest

from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError

TODAY = """"Time of Rating","2024-05-01 10:00:00"
"Multimedia File","clip.mp4"
"Lower Label","very negative"
"Upper Label","very positive"
"Minimum Value",{low}
"Maximum Value",{high}
"Number of Steps",9
"Second","Rating"
"%%%%%%","%%%%%%"
0,10
1,-50
2,100
"""
EARLIER = """Filename,Lower Label,Upper Label,Minimum Value,Midpoint Value,Maximum Value,\
Number of Steps,Second,Rating
C:\\clip.avi,negative,positive,-100,0,100,9,0,10
C:\\clip.avi,negative,positive,-100,0,100,9,1,-50
C:\\clip.avi,negative,positive,-100,0,100,9,2,100
"""


@pytest.mark.parametrize(
    "text", [TODAY.format(low=-100, high=100), EARLIER, EARLIER.replace("\n", "\r\n")]
)
def test_both_layouts_are_read(labels, text):
    path = labels.write("clip.csv", text)
    assert recognise(path) == "carma"
    values, _ = labels(arousal=path)
    np.testing.assert_allclose(values[[0, 25, 50], 1], [0.1, -0.5, 1], atol=1e-7)
    assert np.isnan(values[:, 0]).all()


def test_the_files_range_counts_unless_the_config_has_one(labels):
    path = labels.write("clip.csv", TODAY.format(low=-200, high=200))
    values, _ = labels(valence=path)
    np.testing.assert_allclose(values[[0, 50], 0], [0.05, 0.5], atol=1e-7)
    values, _ = labels(valence=path, table={"range": [-1000, 1000]})
    np.testing.assert_allclose(values[[0, 50], 0], [0.01, 0.1], atol=1e-7)


def test_raters_are_files_of_a_folder(labels):
    labels.write("clip/anna.csv", TODAY.format(low=-100, high=100))
    labels.write("clip/ben.csv", TODAY.format(low=-200, high=200))
    values, metadata = labels(valence=labels.folder / "clip")
    np.testing.assert_allclose(values[[0, 50], 0], [0.075, 0.75], atol=1e-7)
    assert metadata["agreement"]["valence"]["annotators"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TODAY.format(low="low", high=100), "an end of the scale: 'low' is not a number"),
        (TODAY.format(low=100, high=100), "the scale runs from 100 to 100"),
        (TODAY.format(low=-50, high=50), "valence is 100, outside the range of -50 to 50"),
        (TODAY.format(low=-1, high=1).replace('"Second"', '"Hour"'), "no line of names"),
        (
            TODAY.format(low=-1, high=1).replace('"Rating"', '"Mark"'),
            "no columns Second and",
        ),
    ],
)
def test_what_is_refused(labels, text, message):
    with pytest.raises(SampleError, match=message):
        labels(valence=labels.write("clip.csv", text), layout="carma")


def test_the_sheet_must_say_which_target_it_is(labels):
    path = labels.write("clip.csv", EARLIER)
    with pytest.raises(SampleError, match="annotation_valence or annotation_arousal"):
        labels(path)

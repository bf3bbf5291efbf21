from pathlib import Path

import pytest

from circumplex.errors import RequestError
from circumplex.io.sample_lists import MOST_FRAMES, read_list, read_sample_list


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.txt"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb_left\n", {"a": None, "b_left": None}),
        ("\ufeffa.txt\n\n b \n", {"a": None, "b": None}),
        ("a.mp4\nb.AVI\nc.d\n", {"a": None, "b": None, "c.d": None}),
        ("image_location,valence\nb/00002.jpg,-5,-5\na/1.png\nb/00001.jpg\n", {"b": 2, "a": 1}),
        (f"a/{MOST_FRAMES}.jpg\n", {"a": MOST_FRAMES}),
        ("a/" + "0" * 3000 + "7.jpg\n", {"a": 7}),
    ],
)
def test_samples_of_a_list(path, text, expected):
    path.write_text(text)
    assert read_sample_list(path, {".txt", ".mp4", ".avi"}) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a\na\n", "has 'a' twice"),
        ("a\nb/1.jpg\n", "mixes samples and images"),
        ("a,b\n", "line 1: 'a,b' is not the name of a sample or of an image"),
        ("a/0.jpg\n", "line 1: images are numbered from 1 to"),
        (f"a/{MOST_FRAMES + 1}.jpg\n", "line 1: images are numbered from 1 to 10000000"),
        ("a/999999999999.jpg\n", "line 1: images are numbered from 1 to"),
    ],
)
def test_lists_that_are_refused(path, text, message):
    path.write_text(text)
    with pytest.raises(RequestError, match=message):
        read_sample_list(path)


def test_the_text_of_an_image_stays_as_it_is(path):
    path.write_text("a/2.jpg,0,0\n")
    assert [tuple(row) for row in read_list(path)] == [("a", 1, "a/2.jpg")]

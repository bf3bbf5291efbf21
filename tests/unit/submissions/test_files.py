import numpy as np
import pytest

from circumplex.submissions.files import (
    SubmissionError,
    check_image_submission,
    check_submission,
    write_image_submission,
    write_submission,
)
from submitted import read_submission

EXPECTED = {"video1": 4, "video2_left": 1}


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(0)
    for name, rows in EXPECTED.items():
        write_submission(tmp_path / f"{name}.txt", draw.uniform(-1, 1, size=(rows, 2)))
    return tmp_path


def test_round_trip(tmp_path):
    values = np.random.default_rng(0).uniform(-1, 1, size=(50, 2)).astype(np.float32)
    values[0] = -1, 1
    values[1] = -1e-9, 0
    write_submission(tmp_path / "a.txt", values)
    np.testing.assert_allclose(read_submission(tmp_path / "a.txt"), values, atol=5.1e-7)
    lines = (tmp_path / "a.txt").read_text().splitlines()
    assert lines[:3] == ["valence,arousal", "-1.000000,1.000000", "0.000000,0.000000"]
    assert len(lines) == 51
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.0001, -1.0001])
def test_values_outside_the_range_are_never_written(tmp_path, bad):
    values = np.zeros((3, 2))
    values[1, 1] = bad
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        write_submission(tmp_path / "a.txt", values)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(0, 2), (3,), (3, 3)])
def test_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match="frames, 2"):
        write_submission(tmp_path / "a.txt", np.zeros(shape))


def test_what_was_written_passes(folder):
    check_submission(folder, EXPECTED)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: lines[:-1], "video1.txt: 3 rows, expected 4"),
        (lambda lines: [*lines, lines[-1]], "video1.txt: 5 rows, expected 4"),
        (lambda lines: [*lines, ""], "video1.txt, line 6: '' is not two numbers"),
        (lambda lines: lines[1:], "video1.txt, line 1: the header must be valence,arousal"),
        (lambda lines: [*lines[:2], "nan,0", *lines[3:]], "video1.txt, line 3: nan,0 is not in"),
        (lambda lines: [*lines[:2], "0,1.5", *lines[3:]], "video1.txt, line 3: 0,1.5 is not in"),
        (lambda lines: [*lines[:2], "0_1,0", *lines[3:]], "video1.txt, line 3: '0_1,0' is not two"),
        (lambda lines: [*lines[:2], "０,0", *lines[3:]], "video1.txt, line 3: '０,0' is not two"),
        (lambda lines: [*lines[:2], "٠,0", *lines[3:]], "video1.txt, line 3: '٠,0' is not two"),
        (lambda lines: [*lines[:2], "0", *lines[3:]], "video1.txt, line 3: '0' is not two"),
        (lambda lines: [*lines[:2], "0,0,0", *lines[3:]], "video1.txt, line 3: '0,0,0' is not two"),
        (lambda lines: [lines[0], *lines], "video1.txt, line 2: 'valence,arousal' is not two"),
    ],
)
def test_the_checker_names_file_and_line(folder, edit, message):
    path = folder / "video1.txt"
    path.write_text("".join(f"{line}\n" for line in edit(path.read_text().splitlines())))
    with pytest.raises(SubmissionError) as caught:
        check_submission(folder, EXPECTED)
    assert message in str(caught.value)


def test_missing_and_extra_files(folder):
    (folder / "video1.txt").rename(folder / "video3.txt")
    with pytest.raises(SubmissionError) as caught:
        check_submission(folder, EXPECTED)
    assert str(caught.value).splitlines() == ["video1.txt: missing", "video3.txt: not asked for"]


def test_no_folder(tmp_path):
    with pytest.raises(SubmissionError, match="not a folder"):
        check_submission(tmp_path / "none", EXPECTED)


def test_many_problems_are_cut_short(tmp_path):
    with pytest.raises(SubmissionError, match="and 80 more"):
        check_submission(tmp_path, {f"s{i}": 1 for i in range(100)})


@pytest.fixture
def table(tmp_path):
    draw = np.random.default_rng(0)
    samples = ((name, draw.uniform(-1, 1, size=(rows, 2))) for name, rows in EXPECTED.items())
    write_image_submission(tmp_path / "s.csv", samples)
    return tmp_path / "s.csv"


def test_image_form(table):
    lines = table.read_text().splitlines()
    assert lines[0] == "image_location,valence,arousal"
    assert [line.split(",")[0] for line in lines[1:]] == [
        "video1/00001.jpg",
        "video1/00002.jpg",
        "video1/00003.jpg",
        "video1/00004.jpg",
        "video2_left/00001.jpg",
    ]
    check_image_submission(table, EXPECTED)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda x: [*x[:2], *x[3:]], "1 rows of video1 are missing, first video1/00002.jpg"),
        (lambda x: [*x, x[1]], "line 7: video1/00001.jpg is repeated"),
        (lambda x: [*x, "video1/00005.jpg,0,0"], "line 7: video1/00005.jpg is not asked for"),
        (lambda x: [*x, "video1/1.jpg,0,0"], "line 7: video1/1.jpg is not asked for"),
        (lambda x: [*x, "video9/00001.jpg,0,0"], "line 7: video9/00001.jpg is not asked for"),
        (lambda x: [*x, "video1/00000.jpg,0,0"], "line 7: video1/00000.jpg is not asked for"),
        (lambda x: [x[0], "video1/00001.jpg,nan,0", *x[2:]], "line 2: nan,0 is not in"),
        (lambda x: [x[0], "video1/00001.jpg,0", *x[2:]], "line 2: 2 cells"),
        (lambda x: x[1:], "line 1: the header must be image_location,valence,arousal"),
    ],
)
def test_the_image_checker_names_the_line(table, edit, message):
    table.write_text("".join(f"{line}\n" for line in edit(table.read_text().splitlines())))
    with pytest.raises(SubmissionError) as caught:
        check_image_submission(table, EXPECTED)
    assert message in str(caught.value)

"""CSV files of users: what is a header, and which frame a line belongs to."""

import csv
import re

import numpy as np
import pytest

from circumplex.errors import SampleError

FRAMES = 40
VALUES = np.arange(FRAMES)[:, None] * 10.0 + np.arange(3) + 0.5


def write(folder, lines, name="s"):
    with (folder / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return folder


def numbered(numbers, key="frame"):
    return [[key, "v0", "v1", "v2"], *([n, *VALUES[k % FRAMES]] for k, n in enumerate(numbers))]


HEADERS = [
    ["v0", "v1", "v2"],
    ["frame", "0", "1", "2"],
    [" Frame ", "v0", "v1", "v2"],
    ["", "0", "1", "2"],
    ["", "a", "b", "c"],
    ["Unnamed: 0", "a", "b", "c"],
    ["time_s", "10", "20", "30"],
    ["sample", "v0", "v1", "v2"],
    ["v0", "frame", "v1", "v2"],
]


@pytest.mark.parametrize("header", HEADERS, ids=",".join)
def test_a_line_of_names_is_a_header(folder, take, header):
    keys = {"frame": range(FRAMES), "time_s": np.arange(FRAMES) / 25, "sample": ["s"] * FRAMES}
    place = 1 if header[1] == "frame" else 0
    rows = VALUES.tolist()
    if len(header) == 4:
        name = header[place].strip().lower()
        column = keys.get(name, range(FRAMES))
        rows = [[*row[:place], key, *row[place:]] for row, key in zip(rows, column, strict=True)]
    values = take(write(folder, [header, *rows]), FRAMES)
    np.testing.assert_array_equal(values, VALUES.astype(np.float32))


@pytest.mark.parametrize("first", [["0.5", "1.5", "2.5"], ["0", "0", "0"], ["1e0", "2", "3"]])
def test_a_line_of_numbers_is_frame_0(folder, take, first):
    values = take(write(folder, [first, *VALUES[1:].tolist()]), FRAMES)
    assert values[0].tolist() == [float(cell) for cell in first]
    np.testing.assert_array_equal(values[1:], VALUES[1:].astype(np.float32))


DOUBTFUL = {
    "0,1,2": "may be names or the values of frame 0",
    "0.0,1.0,2.0": "may be names or the values of frame 0",
    "7,3,5": "may be names or the values of frame 0",
    "0.1,,0.3": "with no value in cell 2",
    ",0.2,0.3": "with no value in cell 1",
    "0.1,NA,0.3": "with no value in cell 2",
    "NA,NA,NA": "with no value in cell 1",
    "nan,nan,nan": "with no value in cell 1",
    ",,": "with no value in cell 1",
    "0.1,x,0.3": "with a number in cell 1",
    "v0,1,v2": "with a number in cell 2",
    "v0,,v2": "with no value in cell 2",
}


@pytest.mark.parametrize(("first", "message"), DOUBTFUL.items())
def test_a_doubtful_first_line_is_refused_with_what_to_write(folder, take, first, message):
    lines = [first.split(","), *VALUES.tolist()]
    for rows in (FRAMES, FRAMES + 1):
        with pytest.raises(SampleError, match=re.escape(message)) as caught:
            take(write(folder, lines), rows)
        assert "s.csv: line 1 is " in str(caught.value)
        assert "such as frame,v0,v1,v2, each beginning with a letter" in str(caught.value)


def test_one_column(folder, take):
    lines = [["v"], *([row[0]] for row in VALUES.tolist())]
    assert take(write(folder, lines), FRAMES, 1)[:, 0].tolist() == VALUES[:, 0].tolist()
    with pytest.raises(SampleError, match="line 1 is '0', which may be names"):
        take(write(folder, [["0"], *lines[1:]]), FRAMES, 1)
    (folder / "s.csv").write_text("v\n0.5\n\n1.5\n")
    with pytest.raises(SampleError, match="line 3 is empty"):
        take(folder, 2, 1)


WRONG = {
    "sorted as text": sorted(range(FRAMES), key=str),
    "from one": range(1, FRAMES + 1),
    "doubled": [0, 0, *range(1, FRAMES - 1)],
    "gap": [*range(20), *range(21, FRAMES + 1)],
    "reversed": range(FRAMES - 1, -1, -1),
    "fractions": np.arange(FRAMES) + 0.5,
    "empty": [*range(20), "nan", *range(21, FRAMES)],
}


@pytest.mark.parametrize("frames", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("key", ["frame", " FRAME"])
def test_frames_must_count_from_0_in_order(folder, take, frames, key):
    with pytest.raises(SampleError, match=r"s.csv: column frame .* must count 0, 1, 2") as caught:
        take(write(folder, numbered(frames, key)), FRAMES)
    row = next(k for k, frame in enumerate(frames) if frame != k)
    assert f"in row {row} (from 0)" in str(caught.value)


def test_frames_beyond_the_first_block(folder, take):
    frames = [*range(5000), 5001]
    with pytest.raises(SampleError, match="has 5001 in row 5000"):
        take(write(folder, numbered(frames)), 5001)


@pytest.mark.parametrize("start", [0, 1])
def test_row_numbers_of_pandas_and_r(folder, take, start):
    lines = numbered(range(start, FRAMES + start), "")
    np.testing.assert_array_equal(take(write(folder, lines), FRAMES), VALUES.astype(np.float32))


@pytest.mark.parametrize("frames", [v for k, v in WRONG.items() if k != "from one"])
def test_row_numbers_must_count_too(folder, take, frames):
    with pytest.raises(SampleError, match="the first column has no name"):
        take(write(folder, numbered(frames, "")), FRAMES)


def test_row_numbers_beside_frames_may_be_any(folder, take):
    lines = numbered(range(FRAMES))
    lines = [["", *lines[0]], *([f"2022-01-{k}", *line] for k, line in enumerate(lines[1:]))]
    np.testing.assert_array_equal(take(write(folder, lines), FRAMES), VALUES.astype(np.float32))


def test_another_sample(folder, take):
    lines = numbered(["s"] * 20 + ["t"] * 20, "sample")
    with pytest.raises(SampleError, match=r"column sample has 't' in row 20 .*of sample 's'"):
        take(write(folder, lines), FRAMES)


def test_a_key_that_stands_twice(folder, take):
    lines = [["frame", "Frame", "v0"], [0, 0, 0.5]]
    with pytest.raises(SampleError, match="'frame' and 'Frame' both stand for frame"):
        take(write(folder, lines), 1, 1)


@pytest.mark.parametrize(
    ("times", "passes"),
    [
        (np.arange(FRAMES) / 25, True),
        (np.round(np.arange(FRAMES) / 25, 2), True),
        (np.arange(FRAMES) / 30, False),
        ((np.arange(FRAMES) + 1) / 25, False),
        (np.arange(FRAMES) * 40.0, False),
        (np.where(np.arange(FRAMES) == 7, np.nan, np.arange(FRAMES) / 25), False),
    ],
)
def test_times_are_those_of_the_frames(folder, take, times, passes):
    write(folder, numbered(times, "time_s"))
    if passes:
        np.testing.assert_array_equal(take(folder, FRAMES), VALUES.astype(np.float32))
    else:
        with pytest.raises(SampleError, match=r"column time_s has .* for frame"):
            take(folder, FRAMES)


@pytest.mark.parametrize(
    ("cell", "message"),
    [("", "'' is not"), ("0_1", "'0_1' is not"), ("１", "'１' is not"), ("x", "'x' is not")],
)
def test_cells_that_are_no_numbers(folder, take, cell, message):
    lines = numbered(range(FRAMES))
    lines[5][2] = cell
    with pytest.raises(SampleError, match=rf"s.csv, line 6: {re.escape(message)} a number"):
        take(write(folder, lines), FRAMES)


def test_a_cell_longer_than_any_number(folder, take):
    (folder / "s.csv").write_text("v0,v1\n0.5," + "1" * 131_073 + "\n")
    with pytest.raises(SampleError, match=r"s.csv is not a CSV text: field larger than"):
        take(folder, 1, 2)


def test_a_line_longer_than_any_frame(folder, take, monkeypatch):
    monkeypatch.setattr("circumplex.features.imports.csv_file.LONGEST_LINE", 1000)
    (folder / "s.csv").write_text("v0,v1\n" + "0.5, " * 300)
    with pytest.raises(SampleError, match="has a line of more than 1000 characters"):
        take(folder, 1, 2)


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize("first", ["a{0}b{0}c", "0,5{0}1,5{0}2,5"])
def test_other_separators_are_named(folder, take, separator, name, first):
    line = separator.join(["0,5", "1,5", "2,5"])
    (folder / "s.csv").write_text(f"{first.format(separator)}\n{line}\n")
    with pytest.raises(SampleError, match=f"separated by {name}: write commas"):
        take(folder, 1)


def test_line_ends_of_windows(folder, take):
    text = "\r\r\n".join(",".join(map(str, line)) for line in numbered(range(FRAMES)))
    (folder / "s.csv").write_bytes(text.encode())
    np.testing.assert_array_equal(take(folder, FRAMES), VALUES.astype(np.float32))

"""Submissions by the organisers' list, altered folders, and the command that checks."""

from pathlib import Path

import numpy as np
import pytest

from circumplex.cli.main import main
from circumplex.errors import RequestError
from circumplex.io.atomic import write_json
from circumplex.io.digests import file_digest
from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.io.sample_lists import read_list, read_sample_list
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.records import Job, Records, write_record
from circumplex.pipeline.requests import Request
from circumplex.predictions.table import PredictionTable, PredictionWriter
from circumplex.submissions.files import (
    SubmissionError,
    check_image_submission,
    check_listed_submission,
    replacing_folder,
    write_image_submission,
)
from circumplex.submissions.submission import Submission
from example_requests import ROWS, request_config, write_sheet
from submitted import read_submission

FRAMES = {"a": 5, "b_left": 3}
DRAW = np.random.default_rng(0)
VALUES = {name: DRAW.uniform(-1, 1, size=(rows, 2)) for name, rows in FRAMES.items()}
IMAGES = ["b_left/00002.jpg", "a/00001.jpg", "a/00006.jpg", "a/00003.jpg", "b_left/00001.jpg"]


@pytest.fixture
def table(tmp_path):
    with PredictionWriter(tmp_path / "p.parquet", {}) as writer:
        for name, values in VALUES.items():
            writer.write(name, np.arange(len(values)) / 25, values)
    return PredictionTable(tmp_path / "p.parquet")


def listed(tmp_path, lines, header=True):
    path = tmp_path / "list.txt"
    rows = [f"{line},-5,-5" for line in lines] if "/" in lines[0] else lines
    path.write_text("\n".join((["image_location,valence,arousal"] if header else []) + rows) + "\n")
    return path


def submission(table, path, by_list=True, max_difference=2):
    return Submission(table, list(read_sample_list(path)), path, by_list, max_difference)


@pytest.mark.parametrize("header", [True, False])
def test_a_csv_has_exactly_the_lists_rows_in_its_order(tmp_path, table, header):
    path = listed(tmp_path, IMAGES, header)
    made = submission(table, path)
    made.write_table(tmp_path / "s.csv")
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert lines[0] == "image_location,valence,arousal"
    assert [line.split(",")[0] for line in lines[1:]] == IMAGES
    frames = [("b_left", 1), ("a", 0), ("a", 4), ("a", 2), ("b_left", 0)]  # a has no sixth frame
    expected = np.array([VALUES[sample][frame] for sample, frame in frames])
    found = np.array([[float(x) for x in line.split(",")[1:]] for line in lines[1:]])
    np.testing.assert_allclose(found, expected, atol=6e-7)
    assert made.counted_otherwise == {"a": [5, 6], "b_left": [3, 2]}


def test_a_list_that_goes_far_past_the_video_is_refused(tmp_path, table):
    made = submission(table, listed(tmp_path, ["a/00008.jpg"]))
    with pytest.raises(SubmissionError, match="a: the list has 8 frames, the video 5: more than 2"):
        made.write_table(tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_texts_by_either_count(tmp_path, table):
    path = listed(tmp_path, [*IMAGES[:2], "a/00006.jpg"])
    for by_list, rows in ((False, {"a": 5, "b_left": 3}), (True, {"a": 6, "b_left": 2})):
        folder = tmp_path / str(by_list)
        submission(table, path, by_list).write_texts(folder)
        found = {name: read_submission(folder / f"{name}.txt") for name in rows}
        assert {name: len(values) for name, values in found.items()} == rows
    np.testing.assert_array_equal(found["a"][5], found["a"][4])
    np.testing.assert_allclose(found["b_left"], VALUES["b_left"][:2], atol=6e-7)
    short = submission(table, listed(tmp_path, ["a/00001.jpg"]))
    with pytest.raises(SubmissionError, match="a: the list ends 4 frames before the video"):
        short.write_texts(tmp_path / "short")


def test_texts_of_the_listed_samples_alone(tmp_path, table):
    made = submission(table, listed(tmp_path, ["b_left.txt", "gone"], header=False), by_list=False)
    (tmp_path / "t").mkdir()
    made.write_texts(tmp_path / "t")
    assert [p.name for p in (tmp_path / "t").iterdir()] == ["b_left.txt"]
    assert made.missing == ["gone"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("image_location,valence,arousal\n", "is empty"),
        ("a\na\n", "has 'a' twice"),
        ("a/00001.jpg\na/1.jpg\n", "has 'a/1.jpg' twice"),
        ("a/00001.jpg\nb\n", "mixes samples and images: 'b'"),
        ("a/00000.jpg\n", "line 1: images are numbered from 1"),
        (b"\xff\xfe", "not UTF-8"),
        (None, "is missing"),
    ],
)
def test_invalid_lists(tmp_path, text, message):
    path = tmp_path / "list.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RequestError, match=message):
        read_sample_list(path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda x: [*x[:2], *x[3:]], "1 rows are missing, first a/00001.jpg"),
        (lambda x: [*x, "a/00002.jpg,0,0"], "line 7: a/00002.jpg is not asked for"),
        (lambda x: [*x, x[1]], "line 7: b_left/00002.jpg is repeated"),
        (lambda x: [*x[:2], "a/00001.jpg,1.5,0", *x[3:]], "line 3: 1.5,0 is not in"),
        (lambda x: [*x[:2], "a/00001.jpg,nan,0", *x[3:]], "line 3: nan,0 is not in"),
        (lambda x: [x[0], x[2], x[1], *x[3:]], "not in the list's order"),
        (lambda x: x[1:], "the header must be"),
    ],
)
def test_the_checker_of_listed_rows(tmp_path, table, edit, message):
    path = listed(tmp_path, IMAGES)
    made = tmp_path / "s.csv"
    submission(table, path).write_table(made)
    made.write_text("\n".join(edit(made.read_text().splitlines())) + "\n")
    with pytest.raises(SubmissionError) as caught:
        check_listed_submission(made, read_list(path))
    assert message in str(caught.value)


def test_a_folder_is_swapped_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "s"
    with replacing_folder(folder) as temporary:
        (temporary / "old.txt").write_text("old")

    def broken():
        with replacing_folder(folder) as temporary:
            (temporary / "half.txt").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert [p.name for p in folder.iterdir()] == ["old.txt"]
    with replacing_folder(folder) as temporary:
        (temporary / "new.txt").write_text("new")
    assert [p.name for p in folder.iterdir()] == ["new.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("damage", ["alter", "delete", "add", "folder", "manifest"])
def test_an_altered_submission_is_made_again(tmp_path, damage):
    folder = tmp_path / "submissions" / "main"
    folder.mkdir(parents=True)
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("valence,arousal\n0,0\n")
    files = {path.name: file_digest(path) for path in folder.iterdir()}
    manifest = tmp_path / "write_submission" / "main.json"
    write_json(manifest, {"folder": "submissions/main", "files": files})
    path = "write_submission/main.json"
    job = Job("main", Request("write_submission", "code"), {}, (path,))
    write_record(tmp_path, job, {}, {path: manifest})

    def is_current():
        return Records(tmp_path, lambda *_: job).is_current(job)

    assert is_current(), "nothing was altered"
    if damage == "alter":
        (folder / "a.txt").write_text("valence,arousal\n0,0.1\n")
    elif damage == "delete":
        (folder / "a.txt").unlink()
    elif damage == "add":
        (folder / "c.txt").write_text("")
    elif damage == "folder":
        folder.rename(folder.with_name("elsewhere"))
    else:
        manifest.write_text("{")
    assert not is_current()


@pytest.fixture
def plan(tmp_path):
    def make(lines, **changes):
        write_sheet(tmp_path / "samples.tsv", [*ROWS, {**ROWS[-1], "sample": "test1"}])
        spec = {"list": str(listed(tmp_path, lines)), **changes}
        return make_plan(request_config(tmp_path, {"submissions": {"main": spec}}))

    return make


def test_the_plan_follows_the_list(plan):
    made = plan(["test1", "test0"])
    assert made.submitted("main") == ["test1", "test0"]
    assert made.counted_by("main") == "video"
    images = ["test1/00001.jpg"]
    assert plan(images).submitted("main") == ["test1"]
    assert plan(images).counted_by("main") == "video"
    assert plan(images, rows="list").counted_by("main") == "list"
    assert plan(images, format="abaw6").counted_by("main") == "list"
    assert plan(["test1"], format="abaw6").counted_by("main") == "video"


@pytest.mark.parametrize(
    ("lines", "changes", "message"),
    [
        (["tset1"], {}, "asks for sample 'tset1', which is not in the sheet; did you mean 'test1'"),
        (["train0"], {}, "'train0' of split train; only test and predict"),
        (["test0"], {"rows": "list"}, "rows: list needs a list of images"),
        (["test0/00001.jpg"], {"rows": "video", "format": "abaw6"}, "drop rows: video"),
        (["test0"], {"list": "nowhere.txt"}, "list nowhere.txt is missing"),
    ],
)
def test_lists_that_cannot_be_followed(plan, lines, changes, message):
    with pytest.raises(RequestError, match=message):
        plan(lines, **changes)


@pytest.mark.parametrize("name", ["a,b", 'a"b', '"', ","])
def test_names_that_a_csv_cannot_hold_are_refused_at_the_start(tmp_path, name):
    write_sheet(tmp_path / "samples.tsv", [*ROWS, {**ROWS[-1], "sample": name}])

    def plan(submission_format):
        spec = {"format": submission_format}
        return make_plan(request_config(tmp_path, {"submissions": {"main": spec}}))

    with pytest.raises(RequestError, match=r"has a comma or a quote in its name, .* or use format"):
        plan("abaw6")
    assert name in plan("abaw3").submitted("main")


@pytest.mark.parametrize("name", ["=1+1", "-a", "@x", "+1"])
def test_submissions_keep_names_that_a_spreadsheet_would_run(tmp_path, name):
    values = np.zeros((1, 2))
    write_image_submission(tmp_path / "s.csv", [(name, values)])
    assert f"\n{name}/00001.jpg,0.000000,0.000000\n" in (tmp_path / "s.csv").read_text()
    check_image_submission(tmp_path / "s.csv", {name: 1})


@pytest.fixture
def command():
    return lambda words: main(["check-submission", *words])


def test_the_command_checks_both_forms(tmp_path, table, command, capsys):
    images = listed(tmp_path, IMAGES)
    submission(table, images).write_table(tmp_path / "s.csv")
    assert command([str(tmp_path / "s.csv"), "--list", str(images)]) == 0
    assert "5 rows as listed" in capsys.readouterr().out
    submission(table, images, by_list=False).write_texts(tmp_path / "texts")
    names = tmp_path / "names.txt"
    names.write_text("a\nb_left\n")
    texts = [str(tmp_path / "texts"), "--list", str(names)]
    assert command(texts) == 1
    assert "give --results" in capsys.readouterr().err
    for name, frames in FRAMES.items():
        path = tmp_path / "results" / "extract_frames" / f"{name}.parquet"
        with TableWriter(path, frame_schema(), {}) as timeline:
            timeline.write(frame=np.arange(frames), time_s=np.arange(frames) / 25)
    texts += ["--results", str(tmp_path / "results")]
    assert command(texts) == 0
    assert "2 samples, 8 rows" in capsys.readouterr().out
    text = Path(tmp_path / "texts/a.txt")
    text.write_text(text.read_text() + "0,nan\n")
    assert command(texts) == 1
    shown = capsys.readouterr().err
    assert "a.txt, line 7: 0,nan is not in [-1, 1]" in shown
    assert "a.txt: 6 rows, expected 5" in shown

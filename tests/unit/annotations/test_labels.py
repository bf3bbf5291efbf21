import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.annotations.formats.affwild2 import parse_annotation
from circumplex.annotations.labels import Annotations, Limits, read_labels, read_labels_table
from circumplex.config.preparation import Labels
from circumplex.errors import SampleError
from circumplex.io.parquet import TableWriter, count_rows, frame_schema, read_columns, read_metadata
from circumplex.media.resampling import resample_timeline
from circumplex.media.timeline import write_timeline

HEADER = "valence,arousal\n"
NAN = [np.nan, np.nan]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (HEADER + "0.5,-0.25\n1,-1", [[0.5, -0.25], [1, -1]]),
        ("\ufeffValence, Arousal\r\n 0.5 , -.25\r\n", [[0.5, -0.25]]),
        ("VALENCE,AROUSAL \r0,0\r\r\n  \n", [[0, 0]]),
        (HEADER + "-5,0.5\n0.5,-5\n-5.0,-5\n0,0", [NAN, NAN, NAN, [0, 0]]),
        (HEADER + "-5,7\n", [NAN]),
        (HEADER + "1e-3,-0.0", [[0.001, 0]]),
    ],
)
def test_what_is_read(text, rows):
    values = parse_annotation(text)
    np.testing.assert_array_equal(values, np.array(rows, dtype=np.float32))
    assert values.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\ufeff", "empty"),
        ("\n \r\n", "empty"),
        (HEADER, "no rows"),
        ("0.5,0.5\n", "first line is '0.5,0.5'"),
        ("arousal,valence\n0,0\n", "first line"),
        ("valence\tarousal\n0\t0\n", "first line"),
        ("valence,arousal,x\n0,0,0\n", "first line"),
        (HEADER + "0,0\n\n0,0\n", "line 3 is ''"),
        (HEADER + "0,0\n0,0,\n", "line 3"),
        (HEADER + "0\n", "line 2"),
        (HEADER + "0;0\n", "line 2"),
        (HEADER + "0,zero\n", "line 2 is '0,zero'"),
        (HEADER + "0,0_1\n", "line 2"),
        (HEADER + "0,1.0001\n", "line 2 is '0,1.0001'.*-5 marks"),
        (HEADER + "0,0\n-1.0001,0\n", "line 3"),
        (HEADER + "-4.999,0\n", "line 2"),
        (HEADER + "-5.001,0\n", "line 2"),
        (HEADER + "5,5\n", "line 2"),
        (HEADER + "nan,0\n", "line 2 is 'nan,0'"),
        (HEADER + "nan,nan\n", "line 2"),
        (HEADER + "-5,nan\n", "line 2"),
        (HEADER + "0,inf\n", "line 2"),
        (HEADER + "-inf,0\n", "line 2"),
        (HEADER + "1e999,0\n", "line 2"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(SampleError, match=message):
        parse_annotation(text)


PIECES = st.sampled_from(["valence,arousal", "\n", "\r", ",", "-5", "0.5", "nan", "inf", " ", "_"])
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=20).map("".join)


@given(TEXTS | TEXTS.map(lambda text: HEADER + text))
def test_any_text_is_read_or_refused(text):
    try:
        values = parse_annotation(text)
    except SampleError:
        return
    assert len(values) > 0
    unannotated = np.isnan(values)
    assert (unannotated[:, 0] == unannotated[:, 1]).all()
    assert (np.abs(values[~unannotated]) <= 1).all()


@pytest.fixture
def read(tmp_path):
    """Read an annotation for a video of so many frames: values, annotated, metadata."""

    def of(annotation, frames, max_difference=3):
        timeline, output = tmp_path / "timeline.parquet", tmp_path / "labels.parquet"
        with TableWriter(timeline, frame_schema(), {}) as table:
            table.write(frame=np.arange(frames), time_s=np.arange(frames) / 25)
        path = tmp_path / "a.txt"
        if annotation is not None:
            path.write_bytes(annotation if isinstance(annotation, bytes) else annotation.encode())
        metadata = {"key": "k"}
        try:
            read_labels(path, timeline, output, max_difference=max_difference, metadata=metadata)
        except SampleError:
            assert not output.exists()
            raise
        valence, arousal, annotated, time_s = read_columns(
            output, ["valence", "arousal", "annotated", "time_s"]
        )
        assert count_rows(output) == frames
        np.testing.assert_array_equal(time_s, np.arange(frames) / 25)
        return np.stack([valence, arousal], axis=1), annotated, read_metadata(output)

    return of


@pytest.mark.parametrize("rows", range(4, 15))
def test_lengths_that_differ(read, rows):
    text = HEADER + "".join(f"{k / 100},{-k / 100}\n" for k in range(rows))
    if abs(rows - 9) > 3:
        with pytest.raises(SampleError, match=f"{rows} rows for 9 video frames.*max_difference"):
            read(text, 9)
        return
    values, annotated, metadata = read(text, 9)
    shared = min(rows, 9)
    expected = np.full((9, 2), np.nan, dtype=np.float32)
    expected[:shared, 0] = np.arange(shared) / 100
    expected[:shared, 1] = -np.arange(shared) / 100
    np.testing.assert_array_equal(values, expected)
    assert annotated.tolist() == [k < rows for k in range(9)]
    assert metadata["key"] == "k"
    assert metadata["rows_dropped"] == max(rows - 9, 0)
    assert metadata["frames_unannotated"] == max(9 - rows, 0)


def test_a_row_marked_in_either_value_counts_for_neither(read):
    values, annotated, _ = read(HEADER + "-5,1\n1,-5\n1,1\n", 3)
    assert annotated.tolist() == [False, False, True]
    assert np.isnan(values[:2]).all()


def test_files_that_cannot_be_read(read, tmp_path, monkeypatch):
    with pytest.raises(SampleError, match=r"a\.txt is missing"):
        read(None, 1)
    with pytest.raises(SampleError, match="not text"):
        read("é".encode("latin-1"), 1)
    with pytest.raises(SampleError, match="not text"):
        read((HEADER + "0,0\n").encode("utf-16"), 1)
    with pytest.raises(SampleError, match="empty"):
        read(b"", 1)
    with pytest.raises(SampleError, match="no frame"):
        read(HEADER + "-5,-5\n0,0\n", 1)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "read_text", refuse)
    with pytest.raises(SampleError, match="Permission denied"):
        read(HEADER + "0,0\n", 1)


def test_labels_on_a_regular_timeline_are_those_of_the_frames_that_it_takes(tmp_path):
    native = tmp_path / "native.parquet"
    write_timeline(9, native, fps=60.0, metadata={})
    regular = tmp_path / "regular.parquet"
    resample_timeline(native, regular, {}, rate=25.0)
    annotation = tmp_path / "a.txt"
    annotation.write_text(HEADER + "".join(f"0.{k},-0.{k}\n" for k in range(8)))
    output = tmp_path / "labels.parquet"
    read_labels(annotation, regular, output, max_difference=1, metadata={})
    # 0, 40, 80 and 120 ms are the frames 0, 2.4, 4.8 and 7.2 of 60 per second.
    valence, annotated = read_columns(output, ["valence", "annotated"])
    np.testing.assert_allclose(valence, [0.0, 0.2, 0.5, 0.7], atol=1e-7)
    assert annotated.all()
    with pytest.raises(SampleError, match="8 rows for 9 video frames"):
        read_labels(annotation, regular, output, max_difference=0, metadata={})


@pytest.mark.parametrize(
    ("rows", "frames", "accepted"),
    [
        (83, 100, False),  # 25 of 30 frames per second
        (95, 100, True),
        (94, 100, False),
        (105, 100, True),
        (2997, 3000, True),
        (2880, 3000, False),  # 24 of 25 frames per second
        (970, 1000, False),
        (980, 1000, True),
        (9970, 10_000, True),
        (9969, 10_000, False),
        (5, 10, True),
        (4, 10, False),
    ],
)
def test_the_accepted_difference_grows_with_the_length(rows, frames, accepted):
    """By default at most 2% of the frames, 5 rows always, never more than 30."""
    defaults = Labels.read({})
    limits = Limits(defaults.max_difference, defaults.max_difference_share)
    assert (abs(rows - frames) <= limits.accepted(frames)) == accepted


def test_a_text_at_another_rate_is_refused(tmp_path):
    timeline, annotation = tmp_path / "timeline.parquet", tmp_path / "a.txt"
    write_timeline(100, timeline, fps=30.0, metadata={})
    annotation.write_text(HEADER + "0,0\n" * 83)
    defaults = Labels.read({})
    with pytest.raises(SampleError, match=r"83 rows for 100 .* more than 5.*at the video's rate"):
        read_labels(
            annotation,
            timeline,
            tmp_path / "labels.parquet",
            max_difference=defaults.max_difference,
            max_difference_share=defaults.max_difference_share,
            metadata={},
        )


def test_a_lag_takes_the_annotation_of_later(tmp_path):
    timeline, annotation = tmp_path / "timeline.parquet", tmp_path / "a.txt"
    write_timeline(50, timeline, fps=25.0, metadata={})
    rows = [(k / 50, -k / 50) for k in range(50)]
    annotation.write_text(HEADER + "".join(f"{v},{a}\n" for v, a in rows))
    output = tmp_path / "labels.parquet"
    read_labels(annotation, timeline, output, max_difference=0, metadata={}, lag_s=0.4)
    values = read_labels_table(output)
    np.testing.assert_allclose(values[:40], rows[10:], atol=1e-6)
    assert np.isnan(values[40:]).all()
    assert read_metadata(output)["lag_s"] == 0.4


def test_one_target_is_annotated_where_the_other_is_not(tmp_path):
    timeline, annotation = tmp_path / "timeline.parquet", tmp_path / "a.txt"
    write_timeline(3, timeline, fps=25.0, metadata={})
    annotation.write_text(HEADER + "0.1,0.2\n0.3,0.4\n-5,-5\n")
    output = tmp_path / "labels.parquet"
    read_labels(Annotations(arousal=annotation), timeline, output, max_difference=0, metadata={})
    values = read_labels_table(output)
    np.testing.assert_allclose(values[:2, 1], [0.2, 0.4], atol=1e-7)
    assert np.isnan(values[:, 0]).all()
    assert np.isnan(values[2, 1])
    assert read_columns(output, ["annotated"])[0].tolist() == [True, True, False]

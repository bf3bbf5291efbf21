import base64
import math

import numpy as np
import pyarrow as pa
import pytest

from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.report.corpus import (
    ReportSample,
    Usual,
    describe_onsets,
    describe_rates,
    make_row,
    make_rows,
)
from circumplex.report.quality import Quality, read_quality, write_quality
from circumplex.report.rendering import plural

SHEET = b"a contact sheet"
FINE = {
    "frames": 3000,
    "duration_s": 100.0,
    "decoded_share": 1.0,
    "valid_share": 1.0,
    "face_px": 90,
    "switches": 0,
    "sound_s": 100.0,
    "level_dbfs": -20.0,
    "silent_share": 0.0,
}


@pytest.fixture
def judge(tmp_path):
    """Row of a sample that is fine but for what is given."""

    def judged(*, audio_expected=True, sheet=SHEET, sample=None, **quality):
        path = tmp_path / "quality.parquet"
        write_quality(path, Quality(**{**FINE, **quality}), sheet, {})
        given = ReportSample("s", "val", "largest", "s", quality=path, **(sample or {}))
        return make_row(given, read_quality(path), audio_expected=audio_expected)

    return judged


def test_nothing_to_say_of_a_fine_sample(judge):
    row = judge()
    assert (row.warnings, row.notes, row.annotated) == ((), (), None)
    assert row.quality == Quality(**FINE)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"valid_share": 0.8}, []),
        ({"valid_share": 0.799}, ["face in 79.9% of the frames"]),
        ({"face_px": 40}, []),
        ({"face_px": 39}, ["small face: 39 px"]),
        ({"valid_share": None, "face_px": None, "switches": None}, []),
        ({"switches": 10}, []),  # 6 per minute of 100 s
        ({"switches": 11}, ["11 switches of the tracker"]),
        ({"switches": 2, "duration_s": 1.0, "sound_s": 1.0}, []),
        ({"switches": 3, "duration_s": 1.0, "sound_s": 1.0}, ["3 switches of the tracker"]),
        ({"decoded_share": 0.985}, ["1.5% of the frames failed to decode"]),
        ({"decoded_share": 0.0}, []),  # sound alone
        ({"sound_s": None, "level_dbfs": None, "silent_share": None}, ["no audio"]),
        ({"level_dbfs": None}, ["silent"]),
        ({"level_dbfs": -math.inf}, ["silent"]),
        ({"level_dbfs": -60.5}, ["silent"]),
        ({"level_dbfs": -60.0}, []),
        ({"inner_silent_share": 0.5}, []),
        (
            {"inner_silent_share": 0.52},
            ["silent for 52% of the time from first to last sound"],
        ),
        ({"silent_share": 0.99, "inner_silent_share": 0.0}, []),  # at its margins alone
        ({"missing_s": 0.0, "sound_missing_s": 0.0}, []),
        ({"missing_s": 1.48}, ["1.5 s of the announced picture are missing: cut off?"]),
        ({"sound_missing_s": 9.0}, ["9.0 s of the announced sound are missing: cut off?"]),
    ],
)
def test_warnings(judge, changes, expected):
    assert list(judge(**changes).warnings) == expected


@pytest.fixture
def warned(tmp_path):
    """Warnings of the samples of a corpus, by its statistics of silence."""

    def of(shares):
        samples = []
        for number, (whole, inner) in enumerate(shares):
            path = tmp_path / f"{number}.parquet"
            silence = {"silent_share": whole, "inner_silent_share": inner}
            write_quality(path, Quality(**{**FINE, **silence}), None, {})
            samples.append(ReportSample(f"s{number}", "val", "largest", "s", quality=path))
        return [list(row.warnings) for row in make_rows(samples)]

    return of


def test_silence_at_the_margins_that_the_whole_corpus_has_is_usual(warned):
    draw = np.random.default_rng(0)
    acted = [(share, 0.02) for share in draw.normal(0.55, 0.06, size=60).clip(0, 1)]
    assert not any(warned(acted))
    *others, inside, margins = warned([*acted, (0.55, 0.6), (0.97, 0.0)])
    assert not any(others)
    assert inside == ["silent for 60% of the time from first to last sound (usual here: 2%)"]
    assert margins == ["silent for 97% of the time (usual here: 56%)"]


def test_what_is_usual_is_robust_against_a_few_samples():
    usual = Usual.of([0.1] * 20 + [1.0] * 5 + [None] * 9)
    assert usual.median == pytest.approx(0.1)
    assert usual.limit == pytest.approx(0.35)
    wide = Usual.of([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert wide.limit == pytest.approx(0.5 + 3 * 1.4826 * 0.2)
    assert Usual.of([0.9] * 7) == Usual(None, 0.5)


def test_missing_sound_is_no_surprise_where_it_is_explained_or_not_expected(judge):
    silent = {"sound_s": None, "level_dbfs": None, "silent_share": None}
    assert judge(audio_expected=False, **silent).warnings == ()
    absent = ("audio: no audio stream",)
    assert judge(sample={"absent": absent}, **silent).warnings == absent
    other = ("faces: none given",)
    assert judge(sample={"absent": other}, **silent).warnings == ("no audio", *other)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decoded_share": 1 - 1 / 3000}, ["1 frame failed to decode"]),
        ({"decoded_share": 0.99}, ["30 frames failed to decode"]),
        ({"decoded_share": 0.98}, []),  # a warning then
        ({"sound_s": 99.0}, []),
        ({"sound_s": 98.9}, ["sound ends 1.1 s before the video"]),
        ({"sound_s": 101.5}, ["sound ends 1.5 s after the video"]),
    ],
)
def test_notes(judge, changes, expected):
    assert list(judge(**changes).notes) == expected


def write_frames(path, frames, **columns):
    fields = [pa.field(name, pa.array(values[:1]).type) for name, values in columns.items()]
    with TableWriter(path, frame_schema(*fields), {}) as table:
        table.write(frame=np.arange(frames), time_s=np.arange(frames) / 2, **columns)
    return path


@pytest.mark.parametrize(
    ("source", "expected"), [([0, 0, 0, 3], []), ([0, 0, 0, 0], ["up to 1.5 s away"])]
)
def test_faces_from_far_away_are_noted(judge, tmp_path, source, expected):
    fill = write_frames(tmp_path / "fill.parquet", 4, source_frame=np.array(source, np.int32))
    notes = judge(sample={"fill": fill}).notes
    assert [note.removeprefix("faces taken from ") for note in notes] == expected


def test_annotated_frames_are_counted(judge, tmp_path):
    labels = write_frames(tmp_path / "l.parquet", 4, annotated=np.array([True, False, True, True]))
    assert judge(sample={"labels": labels}).annotated == 3


def test_the_contact_sheet_is_a_data_uri(judge):
    sheet = judge().sheet
    assert sheet == "data:image/jpeg;base64," + base64.b64encode(SHEET).decode()
    assert judge(sheet=None).sheet is None


def test_a_failed_sample_has_nothing_but_its_failures():
    failures = (("extract_frames", "cut"), ("extract_audio", "cut"))
    sample = ReportSample("s", "val", "largest", "s", failures=failures)
    row = make_row(sample, None, audio_expected=True)
    assert row.warnings == ("failed in extract_frames", "failed in extract_audio")
    assert (row.quality, row.annotated, row.sheet) == (None, None, None)


def test_the_most_suspicious_samples_come_first(judge):
    broken = ReportSample("s", "val", "largest", "s", failures=(("a", "b"),))
    failed = make_row(broken, None, audio_expected=True)
    two = judge(valid_share=0.5, face_px=10)
    silent, few_faces = judge(silent_share=0.3), judge(valid_share=0.9)
    fine = judge()
    rows = [failed, two, silent, few_faces, fine]
    assert sorted(reversed(rows), key=lambda row: row.suspicion) == rows


def test_counted_nouns():
    assert [plural(n, "frame") for n in (0, 1, 2, 1500)] == [
        *("0 frames", "1 frame", "2 frames", "1,500 frames")
    ]


@pytest.mark.parametrize(
    ("streams", "notes"),
    [
        ({"video_stream": 0, "video_streams": 1, "sound_stream": 0, "sound_streams": 1}, []),
        ({"video_stream": 1, "video_streams": 2}, ["video stream 1 of 2 taken (from 0)"]),
        ({"sound_stream": 0, "sound_streams": 3}, ["audio stream 0 of 3 taken (from 0)"]),
    ],
)
def test_the_stream_that_was_taken_of_several_is_named(judge, streams, notes):
    assert list(judge(**streams).notes) == notes


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([3000], ""),
        ([3000, 3100, 2997], ""),
        ([3000, 2500], "25 to 30 frames per second"),
        ([3000, 5994, 1], "30 to 59.94 frames per second"),
    ],
)
def test_a_corpus_of_mixed_rates_is_reported(judge, frames, expected):
    said = describe_rates([judge(frames=count) for count in frames])
    assert expected in said
    assert bool(said) == bool(expected)


def test_short_clips_with_silent_onsets_name_encoders_that_read_whole_segments(judge):
    clips = [judge(duration_s=3.0 + k / 10, onset_s=0.3 + k / 10) for k in range(9)]
    said = describe_onsets(clips, ["lstm_E"])
    assert said.startswith("Half of the samples last 3.4 s or less and begin with 0.7 s of silence")
    assert "encoder of lstm_E reads forward alone" in said
    assert "bilstm and transformer" in said
    assert describe_onsets(clips, []) == ""
    assert describe_onsets(clips[:5], ["lstm_E"]) == ""
    assert describe_onsets([judge(duration_s=60.0, onset_s=1.0)] * 9, ["lstm_E"]) == ""
    assert describe_onsets([judge(duration_s=3.0, onset_s=0.1)] * 9, ["lstm_E"]) == ""

"""A regular timeline: its times, the frames that it takes, and the way back."""

import numpy as np
import pyarrow as pa
import pytest

from circumplex.io.parquet import TableWriter, frame_schema, read_columns, read_metadata
from circumplex.media.resampling import (
    count_video_frames,
    read_sources,
    resample_timeline,
    resample_times,
    resample_trace,
)


@pytest.mark.parametrize("rate", [1, 12.5, 25, 29.97, 60])
@pytest.mark.parametrize("native", [1, 7.3, 25, 30000 / 1001, 59.94, 240])
def test_times_and_nearest_frames(native, rate):
    time_s = 0.3 + np.arange(97) / native
    regular, source = resample_times(time_s, rate)
    assert regular[0] == time_s[0]
    np.testing.assert_allclose(np.diff(regular), 1 / rate)
    assert time_s[-1] - 1 / rate < regular[-1] <= time_s[-1] + 1e-6
    distance = np.abs(regular[:, None] - time_s)
    chosen = distance[np.arange(len(source)), source]
    np.testing.assert_allclose(chosen, distance.min(axis=1), atol=1e-9)


def test_the_same_rate_takes_each_frame_once():
    for rate in (12.5, 25.0, 29.97, 59.94):
        time_s = np.arange(5000) / rate
        regular, source = resample_times(time_s, rate)
        np.testing.assert_allclose(regular, time_s, atol=1e-9)
        assert (source == np.arange(5000)).all()


@pytest.mark.parametrize(
    ("time_s", "rate", "expected"),
    [
        ([0.0], 25, [0]),  # one frame
        ([0.0, 0.1], 10, [0, 1]),
        ([0.0, 1.0], 4, [0, 0, 0, 1, 1]),  # equally near: the earlier one
        ([0.0, 0.04, 2.0], 1, [0, 1, 2]),  # a gap in the video
    ],
)
def test_by_hand(time_s, rate, expected):
    _, source = resample_times(np.array(time_s), rate)
    assert source.tolist() == expected


def write(path, time_s, decoded, metadata):
    schema = frame_schema(pa.field("decoded", pa.bool_(), nullable=False))
    with TableWriter(path, schema, metadata) as table:
        table.write(frame=np.arange(len(time_s)), time_s=time_s, decoded=decoded)
    return path


def test_a_table(tmp_path):
    decoded = [True, False, True, True]
    native = write(
        tmp_path / "n.parquet", [0.0, 0.02, 0.04, 0.06], decoded, {"video": {"width": 9}}
    )
    resample_timeline(native, tmp_path / "r.parquet", {"stage": "x"}, rate=100.0)
    columns = read_columns(tmp_path / "r.parquet", ["frame", "time_s", "decoded", "source"])
    frame, time_s, seen, source = columns
    assert frame.tolist() == list(range(7))
    np.testing.assert_allclose(time_s, np.arange(7) / 100)
    assert source.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert seen.tolist() == [decoded[k] for k in source]
    assert read_metadata(tmp_path / "r.parquet") == {
        **{"stage": "x", "video": {"width": 9}, "video_frames": 4},
    }
    assert count_video_frames(tmp_path / "r.parquet") == 4
    assert count_video_frames(native) == 4
    assert read_sources(native) is None
    assert read_sources(tmp_path / "r.parquet").tolist() == source.tolist()


def test_a_trace_comes_back_at_every_frame_of_the_video():
    time_s = np.arange(26) / 25
    native_s = np.arange(-2, 125) / 120
    values = np.stack([2 * time_s - 1, np.sin(time_s)], axis=1)
    back = resample_trace(values, time_s, native_s)
    assert back.dtype == np.float32
    assert back.shape == (127, 2)
    inside = (native_s >= 0) & (native_s <= 1)
    np.testing.assert_allclose(back[inside, 0], 2 * native_s[inside] - 1, atol=1e-6)
    np.testing.assert_allclose(back[inside, 1], np.sin(native_s[inside]), atol=3e-4)
    assert (back[:2] == back[2]).all(), "before the first time its value holds"
    assert (back[native_s > 1] == np.float32(values[-1])).all()

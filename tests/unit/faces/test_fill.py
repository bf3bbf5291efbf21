import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.faces.fill import NoValid, Rule, fill_frames, nearest_valid
from circumplex.io.parquet import TableWriter, frame_schema, read_columns


@given(st.lists(st.booleans(), max_size=60).filter(any))
def test_nearest_and_the_earlier_on_a_tie(valid):
    found = nearest_valid(np.array(valid, bool))
    candidates = [k for k, is_valid in enumerate(valid) if is_valid]
    expected = [min(candidates, key=lambda k: (abs(k - j), k)) for j in range(len(valid))]
    assert found.tolist() == expected
    assert found.dtype == np.int64
    assert (np.diff(found) >= 0).all()


def write_valid(path, valid):
    schema = frame_schema(pa.field("valid", pa.bool_(), nullable=False))
    with TableWriter(path, schema, {}) as writer:
        times = [0.04 * k for k in range(len(valid))]
        writer.write(frame=range(len(valid)), time_s=times, valid=valid)


def test_table_keeps_the_timeline(tmp_path):
    write_valid(tmp_path / "faces.parquet", [False, True, False, False, True])
    fill_frames(tmp_path / "faces.parquet", tmp_path / "fill.parquet", Rule(NoValid.FAIL), {})
    frame, time_s, source = read_columns(
        tmp_path / "fill.parquet", ["frame", "time_s", "source_frame"]
    )
    assert frame.tolist() == [0, 1, 2, 3, 4]
    assert time_s.tolist() == [0.04 * k for k in range(5)]
    assert source.tolist() == [1, 1, 1, 4, 4]
    assert source.dtype == np.int32


@pytest.mark.parametrize("frames", [0, 1, 7])
def test_no_valid_face(tmp_path, frames):
    write_valid(tmp_path / "faces.parquet", [False] * frames)
    output = tmp_path / "fill.parquet"
    with pytest.raises(SampleError, match="no frame with a valid face"):
        fill_frames(tmp_path / "faces.parquet", output, Rule(NoValid.FAIL), {})
    assert not output.exists()
    with pytest.raises(ModalityAbsent, match="no frame with a valid face"):
        fill_frames(tmp_path / "faces.parquet", output, Rule(NoValid.ZEROS), {})
    assert not output.exists()


@pytest.mark.parametrize(("valid", "enough"), [(1, False), (4, False), (5, True), (100, True)])
def test_one_face_of_a_cartoon_is_not_enough(tmp_path, valid, enough):
    write_valid(tmp_path / "faces.parquet", [k < valid for k in range(100)])
    output = tmp_path / "fill.parquet"
    if enough:
        fill_frames(tmp_path / "faces.parquet", output, Rule(NoValid.FAIL, 0.05), {})
        assert output.exists()
        return
    found = f"a valid face in only {valid} of 100 frames, less than faces.min_valid_share, 0.05"
    with pytest.raises(SampleError, match=f"{found}: look at the video, lower faces.min_valid"):
        fill_frames(tmp_path / "faces.parquet", output, Rule(NoValid.FAIL, 0.05), {})
    with pytest.raises(ModalityAbsent, match=found):
        fill_frames(tmp_path / "faces.parquet", output, Rule(NoValid.ZEROS, 0.05), {})
    fill_frames(tmp_path / "faces.parquet", output, Rule(NoValid.FAIL), {})
    assert output.exists()

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from circumplex.faces.table import face_schema
from circumplex.io.parquet import TableWriter

DETECTION = {"box": [1.0, 2.0, 3.0, 4.0], "landmarks": [0.5] * 10, "probability": 0.75}
FACE = {
    "frame": [0, 1],
    "time_s": [0.0, 0.5],
    "valid": [True, False],
    "probability": [0.75, None],
    "box": [DETECTION["box"], None],
    "landmarks": [DETECTION["landmarks"], None],
    "subject_switch": [False, False],
    "interpolated": [False, True],
    "detections": [[DETECTION, DETECTION], []],
    "crop": [b"image", None],
}


def test_a_frame_with_and_one_without_a_face_come_back_as_written(tmp_path):
    path = tmp_path / "faces.parquet"
    with TableWriter(path, face_schema(), {}) as table:
        table.write(**FACE)
    assert pq.read_table(path).to_pydict() == FACE


def test_columns_and_their_order():
    schema = face_schema()
    assert schema.names == list(FACE)
    required = {field.name for field in schema if not field.nullable}
    flags = {"valid", "subject_switch", "interpolated"}
    assert required == {"frame", "time_s", "detections", *flags}
    assert all(schema.field(name).type == pa.bool_() for name in flags)


@pytest.mark.parametrize(("field", "length"), [("box", 4), ("landmarks", 10)])
def test_detections_have_boxes_and_landmarks_of_fixed_size(field, length):
    detection = face_schema().field("detections").type.value_type
    assert detection.field(field).type == pa.list_(pa.float32(), length)
    wrong = {**DETECTION, field: np.zeros(length + 1).tolist()}
    with pytest.raises(pa.ArrowInvalid):
        pa.array([wrong], detection)

"""Layout of the table of faces, for detected and for imported faces."""

import pyarrow as pa

from circumplex.io.parquet import frame_schema

DETECTION = pa.struct(
    [
        pa.field("box", pa.list_(pa.float32(), 4)),
        pa.field("landmarks", pa.list_(pa.float32(), 10)),
        pa.field("probability", pa.float32()),
    ]
)


def face_schema() -> pa.Schema:
    """Columns of the table of faces.

    ``valid``: whether the frame has a face of the subject. ``probability``, ``box`` (x0, y0, x1, y1
    in pixels), ``landmarks`` (five x, y pairs in pixels) and ``crop`` (encoded image of 112x112
    pixels) describe the subject's face and are null without one. ``subject_switch``: whether the
    face belongs to another track than the subject's previous face. ``detections``: every face.
    ``interpolated``: whether faces were not detected in this frame, but interpolated between two
    others.
    """
    return frame_schema(
        pa.field("valid", pa.bool_(), nullable=False),
        pa.field("probability", pa.float32()),
        pa.field("box", pa.list_(pa.float32())),
        pa.field("landmarks", pa.list_(pa.float32())),
        pa.field("subject_switch", pa.bool_(), nullable=False),
        pa.field("interpolated", pa.bool_(), nullable=False),
        pa.field("detections", pa.list_(DETECTION), nullable=False),
        pa.field("crop", pa.binary()),
    )

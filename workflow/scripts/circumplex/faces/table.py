"""Layout of the table of faces, whether they were detected or handed out."""

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

    ``valid``: the subject's face is there. ``probability``, ``box`` (x0, y0, x1, y1), ``landmarks``
    (five x, y pairs) and ``crop`` (encoded, 112x112) are the subject's, null without one.
    ``subject_switch``: the face belongs to another track than the subject's face before it.
    ``detections``: every face. ``interpolated``: nothing was detected in this frame, its faces lie
    between those of two others.
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

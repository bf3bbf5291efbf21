"""Layout of the table of faces, for detected and for imported faces."""

import pyarrow as pa

from circumplex.io.parquet import describe, frame_schema

BOX = "x0, y0, x1, y1 in pixels"
LANDMARKS = "eyes, nose, corners of the mouth: five x, y pairs in pixels"
PROBABILITY = "of the detection, in [0, 1]"
DETECTION = pa.struct(
    [
        describe("box", pa.list_(pa.float32(), 4), BOX, nullable=True),
        describe("landmarks", pa.list_(pa.float32(), 10), LANDMARKS, nullable=True),
        describe("probability", pa.float32(), PROBABILITY, nullable=True),
    ]
)


def face_schema() -> pa.Schema:
    """Columns of the table of faces; those of the subject's face are null without one."""
    return frame_schema(
        describe("valid", pa.bool_(), "whether the frame has a face of the subject"),
        describe("probability", pa.float32(), PROBABILITY, nullable=True),
        describe("box", pa.list_(pa.float32()), f"the subject's face: {BOX}", nullable=True),
        describe("landmarks", pa.list_(pa.float32()), LANDMARKS, nullable=True),
        describe(
            "subject_switch",
            pa.bool_(),
            "whether the face belongs to another track than the subject's previous face",
        ),
        describe(
            "interpolated",
            pa.bool_(),
            "whether faces were not detected in this frame, but interpolated between two others",
        ),
        describe("detections", pa.list_(DETECTION), "every face"),
        describe("crop", pa.binary(), "encoded image of 112x112 pixels, aligned", nullable=True),
    )

"""What decides which faces are found and how they are kept.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from circumplex.config.section import Lax, Section

AUTO: Literal["auto"] = "auto"
Probability = Annotated[float, Field(ge=0, le=1)]


class CropFormat(StrEnum):
    """How crops are encoded: small, or without loss."""

    JPEG = "jpeg"
    PNG = "png"


class FaceOptions(Section):
    """Options of face detection with MTCNN, and of the crops that are kept."""

    min_face_size: float = Field(
        36,
        ge=12,
        le=10_000,
        description="pixels; smaller faces are not looked for; MTCNN sees none below 12. Our "
        "choice, 10% under 40, so that a face of 40 pixels is not at the edge of what is found",
    )
    thresholds: Lax[tuple[Probability, Probability, Probability]] = Field(
        (0.6, 0.7, 0.7),
        description="probabilities that a candidate must reach in MTCNN's three stages "
        "(facenet-pytorch's)",
    )
    factor: float = Field(
        0.709,
        ge=0.1,
        le=0.99,
        description="ratio of two scales of MTCNN's image pyramid (facenet-pytorch's)",
    )
    min_probability: float = Field(
        0.9, ge=0, le=1, description="of a detection to be a valid face (our choice)"
    )
    min_valid_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="of a sample's frames with a valid face: with fewer, the sample counts as one "
        "without any, see fill.no_valid_face (our choice)",
    )
    detect_every: Literal["auto"] | Annotated[int, Field(ge=1, le=10_000)] = Field(
        1,
        description="look for faces in the whole of one frame of so many, or, with auto, every 0.2 "
        "s, and follow them in between by MTCNN's last two stages; frames in which a face is lost, "
        "and those between which faces appear, are looked through as a whole. 1: every frame",
    )
    crop_format: Lax[CropFormat] = Field(
        CropFormat.JPEG, description="of the crops that are kept; png is without loss"
    )
    jpeg_quality: int = Field(95, ge=1, le=100, description="of the crops")

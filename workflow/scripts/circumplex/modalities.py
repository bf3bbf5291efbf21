"""What a feature is computed from, and how its rows become one vector a frame."""

from enum import StrEnum


class Modality(StrEnum):
    """What a feature is computed from."""

    VISUAL = "visual"
    AUDIO = "audio"


class Framing(StrEnum):
    """How rows at an audio extractor's own rate become one vector a frame (see `framing`)."""

    MEAN = "mean"
    NEAREST = "nearest"

"""What a feature is computed from, and how its rows become one vector a frame."""

from enum import StrEnum


class Modality(StrEnum):
    """What a feature is computed from."""

    VISUAL = "visual"
    AUDIO = "audio"


class MissingModality(StrEnum):
    """What a model makes of a sample that lacks a feature's modality.

    `ZEROS_WITH_MASK`: its features are zero after scaling, and flags show the network which are
    absent; `ZEROS`: zero without flags; `LEAVE_OUT`: the sample takes no part in training,
    and the model does not predict it.
    """

    ZEROS_WITH_MASK = "zeros_with_mask"
    ZEROS = "zeros"
    LEAVE_OUT = "leave_out"


class Framing(StrEnum):
    """How rows at an audio extractor's own rate become one vector a frame (see `framing`)."""

    MEAN = "mean"
    NEAREST = "nearest"

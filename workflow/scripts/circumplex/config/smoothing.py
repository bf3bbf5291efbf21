"""Options of the post-processing of predictions.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from circumplex.config.section import Lax, Section, Unique

Window = Annotated[int, Field(ge=0, le=100_000)]
"""Frames of a smoothing window; 0 for none."""


class WindowSearch(Section):
    """Windows to try on each model's validation samples, in place of the fixed ones."""

    valence: Unique[Annotated[tuple[Window, ...], Field(min_length=1)]] | None = Field(
        None, description="windows in frames"
    )
    arousal: Unique[Annotated[tuple[Window, ...], Field(min_length=1)]] | None = Field(
        None, description="windows in frames"
    )


class Convention(StrEnum):
    """Order and width of smoothing.

    `PAPER`: clip to [-1, 1], then the mean over ceil(w/2) frames on either side;
    `PUBLISHED_CODE`: smooth, then clip; w frames on either side.
    """

    PAPER = "paper"
    PUBLISHED_CODE = "published_code"


class FixedSmoothing(Section):
    """Post-processing of predictions with windows that are settled."""

    convention: Lax[Convention] = Field(
        Convention.PAPER,
        description="paper: clip to [-1, 1], then the mean over ceil(w/2) frames on either side; "
        "published_code: smooth, then clip; w frames on either side",
    )
    valence: Window = Field(20, description="window w in frames")
    arousal: Window = Field(50, description="window w in frames")


class Smoothing(FixedSmoothing):
    """Post-processing of predictions (section 3.5)."""

    search: WindowSearch | None = Field(
        None, description="windows to try on each model's validation samples"
    )

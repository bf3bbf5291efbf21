"""Options of what people open: CSV files and player pages.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum

from pydantic import Field

from circumplex.config.samples import Split
from circumplex.config.section import Lax, Section, Unique

MANY_VIDEOS = 100
"""Samples above which `ProxyChoice.AUTO` makes no proxies, which would take hours and gigabytes."""


class ProxyChoice(StrEnum):
    """Which videos get a small copy that every browser plays.

    `AUTO`: those that browsers do not play, unless the run shows more than `MANY_VIDEOS`;
    `NEEDED`: those that browsers do not play, however many; `ALWAYS`: all; `NEVER`: none.
    """

    AUTO = "auto"
    NEEDED = "needed"
    ALWAYS = "always"
    NEVER = "never"


class Outputs(Section):
    """CSV files and player pages (docs/prediction.md)."""

    splits: Unique[tuple[Lax[Split], ...]] = Field(
        (Split.PREDICT,),
        description="splits whose samples get CSV files and player pages; with export, all samples "
        "get them",
    )
    proxy: Lax[ProxyChoice] = Field(
        ProxyChoice.AUTO,
        description="small copies of videos for the player pages. auto: of those that browsers do "
        f"not play, unless more than {MANY_VIDEOS} samples are shown; needed: of those, however "
        "many; always: of all; never: none",
    )
    proxy_height: int = Field(
        360, ge=90, le=2160, description="pixels; the copies are at most as high as this"
    )

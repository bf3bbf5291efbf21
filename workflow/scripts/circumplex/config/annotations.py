"""Options of annotations whose rows have times.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from circumplex.config.section import Lax, Section, Text


class TimeUnit(StrEnum):
    """Unit of the times; `AUTO` goes by the column's name, and takes seconds where it says none."""

    AUTO = "auto"
    SECONDS = "s"
    MILLISECONDS = "ms"


class Separator(StrEnum):
    """What stands between cells; `AUTO` goes by the header."""

    AUTO = "auto"
    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"


class Decimal(StrEnum):
    """Decimal sign; `AUTO` takes either, but not both in one file."""

    AUTO = "auto"
    POINT = "point"
    COMMA = "comma"


class Combination(StrEnum):
    """How the traces of several annotators become one.

    `MEAN`: their mean. `EWE`: the evaluator weighted estimator (Grimm and Kroschel 2005).
    """

    MEAN = "mean"
    EWE = "ewe"


def _check_range(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] >= ends[1]:
        raise ValueError(f"is {list(ends)}: the lowest value comes first, then the highest")
    return ends


End = Annotated[float, Field(ge=-1e9, le=1e9)]
Range = Annotated[Lax[tuple[End, End]], AfterValidator(_check_range)]


class AnnotationTable(Section):
    """How annotations with times are read, where the file does not say (docs/annotations.md)."""

    time: Text | None = Field(
        None,
        description="name of the column of times; by default, time, timestamp, second and such",
    )
    unit: Lax[TimeUnit] = Field(
        TimeUnit.AUTO,
        description="of the times; auto: as the layout or the column's name says (time_ms), "
        "else seconds",
    )
    valence: Lax[tuple[Text, ...]] = Field(
        (),
        description="names of the columns of valence, one per annotator; by default, those that "
        "begin with valence",
    )
    arousal: Lax[tuple[Text, ...]] = Field((), description="the same of arousal")
    annotator: Text | None = Field(
        None,
        description="name of a column that names the annotator of each row, if there is one; by "
        "default, annotator, rater and such",
    )
    range: Range | None = Field(
        None,
        description="lowest and highest value of the scale, which become -1 and 1; by default, as "
        "the file or its layout says, else -1 and 1",
    )
    separator: Lax[Separator] = Field(
        Separator.AUTO, description="between cells; auto: as in the header"
    )
    decimal: Lax[Decimal] = Field(
        Decimal.AUTO, description="decimal sign; auto: point or comma, not both in a file"
    )

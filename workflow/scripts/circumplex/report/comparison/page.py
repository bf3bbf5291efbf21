"""Make the page of a comparison: what differs in the requests, and CCC side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from circumplex.report.rendering import SHARED, make_environment, page_parts

FOLDER = Path(__file__).parent
STYLE = FOLDER.parent / "templates" / "report.css"


@dataclass(frozen=True)
class Change:
    """A value that two runs were asked for differently.

    Attributes:
        stage: name of the stage.
        units: the jobs of the stage that it concerns; empty if all.
        key: name of the value.
        first, second: the value in each run, as text; a dash where a run has none.
    """

    stage: str
    units: str
    key: str
    first: str
    second: str


@dataclass(frozen=True)
class ScoreLine:
    """CCC of a model or ensemble in both runs, for one target.

    Attributes:
        kind: model or ensemble.
        name: name of the model or ensemble, in both runs.
        split: what it was scored on.
        target: valence or arousal.
        samples: number of samples that both runs have predicted and annotated.
        first, second: CCC in each run, over these samples.
        low, high: limits of the 95 % interval of the difference.
        share_above: share of the bootstrap's draws in which the second run is better.
    """

    kind: str
    name: str
    split: str
    target: str
    samples: int
    first: float
    second: float
    low: float
    high: float
    share_above: float

    @property
    def difference(self) -> float:
        """Second less first."""
        return self.second - self.first

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class SampleLine:
    """Mean CCC of a sample in both runs."""

    sample: str
    split: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Second less first."""
        return self.second - self.first


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        first, second: their folders.
        changes: what was asked for differently; None where that is not on record.
        lines: scores.
        compared: name of the ensemble or model whose samples are listed; empty if there is none.
        samples: its samples, those with the largest loss first.
        notes: what a reader must know of the comparison.
        draws: number of the bootstrap's draws.
    """

    first: str
    second: str
    changes: Sequence[Change] | None
    lines: Sequence[ScoreLine]
    compared: str
    samples: Sequence[SampleLine]
    notes: Sequence[str]
    draws: int


def comparison_page(comparison: Comparison) -> str:
    """The page, which loads nothing; its one script searches and sorts the list of samples."""
    return (
        make_environment(FOLDER)
        .get_template("compare.html.j2")
        .render(**page_parts(STYLE, SHARED / "list.js"), of=comparison)
    )

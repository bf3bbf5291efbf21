"""Tables that show this run's CCC beside the published one, as CSV, Markdown and HTML.

A row is the mean over its replicates (seeds). Each replicate is the mean over its units: the folds
of a seed, or a single model or ensemble. Published numbers belong to another data set: they have
their own column with its name and are never ranked against this run's.
"""

import csv
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from circumplex.evaluation.scores import CccRow
from circumplex.io.atomic import replacing, write_text
from circumplex.io.markdown import markdown_table
from circumplex.io.spreadsheet import escape_cell
from circumplex.targets import TARGETS

TEMPLATES = Path(__file__).parent
TEMPLATE = "table.html.j2"
PUBLISHED = "Aff-Wild2"
MEAN = "mean"


@dataclass(frozen=True)
class Unit:
    """A model or ensemble that a row averages.

    Attributes:
        kind: ``model`` or ``ensemble``.
        name: name of the run or the ensemble.
        held_out: the split scored as validation set (``val``, a fold, ``out of fold``); empty if
            nothing was held out.
    """

    kind: str
    name: str
    held_out: str


@dataclass(frozen=True)
class Cell:
    """This run's CCC: mean and sample standard deviation over replicates.

    Attributes:
        replicates: CCC of each replicate, the mean of its units.
        units: CCC of each unit, by replicate.
    """

    replicates: tuple[float, ...]
    units: tuple[tuple[float, ...], ...]

    @property
    def mean(self) -> float:
        """Mean CCC over replicates."""
        return statistics.fmean(self.replicates)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over replicates; None with only one."""
        return statistics.stdev(self.replicates) if len(self.replicates) > 1 else None


@dataclass(frozen=True)
class Line:
    """A row of the table on one split.

    Attributes:
        label: label of the row.
        split: split it was scored on.
        cells: this run's CCC by target and ``mean``; empty if nothing could be scored.
        published: the paper's CCC by target and ``mean``, if it belongs to this split.
        samples: annotated samples scored, per replicate.
        frames: annotated frames of these samples.
        replicates: the averaged units, by replicate.
    """

    label: str
    split: str
    cells: Mapping[str, Cell]
    published: Mapping[str, float]
    samples: int
    frames: int
    replicates: tuple[tuple[Unit, ...], ...]


Score = Callable[[Unit, str], list[CccRow]]
"""Scores a unit on a split: one row per target, none if it cannot be scored there."""


def make_lines(rows: Sequence[Mapping[str, Any]], published_split: str, score: Score) -> list[Line]:
    """Make a table's lines: each row on its held-out split, and on the test set if annotated.

    Args:
        rows: ``label``, ``replicates`` (lists of lists of (kind, name, held out)), ``published``.
        published_split: split of the published numbers, ``val`` or ``test``.
        score: function that scores a unit on a split.
    """
    lines = []
    for split in ("val", "test"):
        for row in rows:
            replicates = tuple(
                tuple(Unit(*unit) for unit in replicate) for replicate in row["replicates"]
            )
            line = _make_line(row, split, replicates, score, split == published_split)
            if line.cells or split == published_split:
                lines.append(line)
    return lines


def _make_line(
    row: Mapping[str, Any],
    split: str,
    replicates: tuple[tuple[Unit, ...], ...],
    score: Score,
    with_published: bool,
) -> Line:
    scored = [[_score_unit(unit, split, score) for unit in replicate] for replicate in replicates]
    complete = all(unit for replicate in scored for unit in replicate)
    names = {unit.held_out for replicate in replicates for unit in replicate}
    held_out = names.pop() if len(names) == 1 else "all folds"
    first = scored[0] if complete else []
    return Line(
        label=row["label"],
        split=split if split == "test" else held_out or split,
        cells=_make_cells(scored) if complete else {},
        published=row.get("published", {}) if with_published else {},
        samples=sum(unit[0].samples for unit in first),
        frames=sum(unit[0].frames for unit in first),
        replicates=replicates,
    )


def _make_cells(scored: Sequence[Sequence[Sequence[CccRow]]]) -> dict[str, Cell]:
    """Cells by target and, if both are annotated, ``mean``, from the rows of each unit."""
    targets = [target.target.value for target in scored[0][0]]
    by_target = {t: [[_ccc(unit, t) for unit in r] for r in scored] for t in targets}
    means = [[statistics.fmean(_ccc(u, t) for t in targets) for u in r] for r in scored]
    mean = {MEAN: means} if len(targets) == len(TARGETS) else {}
    return {
        name: Cell(tuple(map(statistics.fmean, units)), tuple(map(tuple, units)))
        for name, units in {**by_target, **mean}.items()
    }


def _score_unit(unit: Unit, split: str, score: Score) -> list[CccRow]:
    where = split if split == "test" else unit.held_out
    return score(unit, where) if where else []


def _ccc(rows: Sequence[CccRow], target: str) -> float:
    return next(row.ccc for row in rows if row.target.value == target)


def list_columns(targets: Sequence[str]) -> list[str]:
    """Columns of a table: its targets, and their mean if it has both."""
    return [*targets, MEAN] if len(targets) > 1 else list(targets)


def write_csv(path: Path, table: str, targets: Sequence[str], lines: Sequence[Line]) -> None:
    """Write one row per line and target, atomically; cells without a value are empty."""
    header = ["table", "row", "split", "target", "ours", "deviation", "replicates"]
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, PUBLISHED, "samples", "frames"])
        for line in lines:
            for target in list_columns(targets):
                cell = line.cells.get(target)
                writer.writerow(
                    [
                        table,
                        escape_cell(line.label),
                        line.split,
                        target,
                        f"{cell.mean:.6f}" if cell else "",
                        f"{cell.deviation:.6f}" if cell and cell.deviation is not None else "",
                        len(cell.replicates) if cell else "",
                        line.published.get(target, ""),
                        line.samples if cell else "",
                        line.frames if cell else "",
                    ]
                )


def format_own(line: Line, target: str) -> str:
    """This run's CCC as text: mean ± deviation over replicates, a dash if there is none."""
    cell = line.cells.get(target)
    if cell is None:
        return "–"
    spread = f" ± {cell.deviation:.3f}" if cell.deviation is not None else ""
    return f"{cell.mean:.3f}{spread}"


def format_published(line: Line, target: str) -> str:
    """The paper's CCC as text, a dash if there is none."""
    value = line.published.get(target)
    return "–" if value is None else f"{value:.4f}"


def write_notes(published_split: str, random_weights: Mapping[str, str]) -> list[str]:
    """Notes that a reader of the table needs; a warning first if weights are random."""
    of = "test" if published_split == "test" else "validation"
    notes = [
        "Ours: CCC over the concatenation of all annotated frames of the split, of smoothed "
        "predictions; mean ± sample standard deviation over seeds. A dash: nothing annotated was "
        "held out.",
        f"{PUBLISHED}: the paper's number on the {of} set of that corpus. It says nothing about "
        "ours unless ours is scored on the same set.",
    ]
    if random_weights:
        features = ", ".join(f"{name} ({weights})" for name, weights in random_weights.items())
        notes.insert(0, f"SEEDED RANDOM WEIGHTS, not published ones: {features}")
    return notes


def write_markdown(
    path: Path, title: str, targets: Sequence[str], lines: Sequence[Line], notes: Sequence[str]
) -> None:
    """Write this run's CCC and the published one side by side, target by target."""
    columns = list_columns(targets)
    head = ["model", "split", *(cell for target in columns for cell in (target, PUBLISHED))]
    rows = [
        [
            line.label,
            line.split,
            *(text(line, target) for target in columns for text in (format_own, format_published)),
        ]
        for line in lines
    ]
    body = markdown_table(head, rows)
    text = [f"# {title}", "", *body, "", *(f"{note}\n" for note in notes)]
    write_text(path, "\n".join(text))


def write_html(
    path: Path, title: str, targets: Sequence[str], lines: Sequence[Line], notes: Sequence[str]
) -> None:
    """Write an HTML page that loads no other file; every text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template(TEMPLATE).render(
        title=title,
        targets=list_columns(targets),
        lines=lines,
        notes=notes,
        ours=format_own,
        published=format_published,
        corpus=PUBLISHED,
    )
    write_text(path, page + "\n")

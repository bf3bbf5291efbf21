"""Tables that set our CCC beside the published one: CSV, Markdown and HTML.

A row is the mean over its replicates (seeds), each the mean over what it names (the folds of a
seed, or a single model or ensemble). Published numbers belong to another data set: they stand in a
column of its name and are never ranked against ours.
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

TEMPLATES = Path(__file__).parent
TEMPLATE = "table.html.j2"
PUBLISHED = "Aff-Wild2"
MEAN = "mean"


@dataclass(frozen=True)
class Unit:
    """A model or ensemble that a row averages.

    Attributes:
        kind: ``model`` or ``ensemble``.
        name: of the run or the ensemble.
        held_out: the split in place of the validation set (``val``, a fold, ``out of fold``); empty
            where nothing was held out.
    """

    kind: str
    name: str
    held_out: str


@dataclass(frozen=True)
class Cell:
    """Our number: mean and sample standard deviation over replicates.

    Attributes:
        replicates: CCC of each, as its units' mean.
        units: the CCC of each unit, by replicate.
    """

    replicates: tuple[float, ...]
    units: tuple[tuple[float, ...], ...]

    @property
    def mean(self) -> float:
        """Over replicates."""
        return statistics.fmean(self.replicates)

    @property
    def deviation(self) -> float | None:
        """Over replicates; none with one."""
        return statistics.stdev(self.replicates) if len(self.replicates) > 1 else None


@dataclass(frozen=True)
class Line:
    """A row of the table on one split.

    Attributes:
        label: of the row.
        split: what it was scored on.
        cells: our numbers by target and ``mean``; empty where nothing could be scored.
        published: the paper's numbers, where they belong to this split.
        samples: annotated samples scored, of each replicate.
        frames: annotated frames of them.
        replicates: what was averaged.
    """

    label: str
    split: str
    cells: Mapping[str, Cell]
    published: Mapping[str, float]
    samples: int
    frames: int
    replicates: tuple[tuple[Unit, ...], ...]


Score = Callable[[Unit, str], list[CccRow]]
"""CCC of a unit on a split, a row for each target; empty where it cannot be scored there."""


def make_lines(rows: Sequence[Mapping[str, Any]], published_split: str, score: Score) -> list[Line]:
    """The lines of a table: each row on what it held out, and on the test set where annotated.

    Args:
        rows: ``label``, ``replicates`` (lists of lists of (kind, name, held out)), ``published``.
        published_split: ``val`` or ``test``: where the published numbers belong.
        score: gives a unit's CCC on a split.
    """
    lines = []
    for split in ("val", "test"):
        for row in rows:
            replicates = tuple(
                tuple(Unit(*unit) for unit in replicate) for replicate in row["replicates"]
            )
            line = _line(row, split, replicates, score, split == published_split)
            if line.cells or split == published_split:
                lines.append(line)
    return lines


def _line(
    row: Mapping[str, Any],
    split: str,
    replicates: tuple[tuple[Unit, ...], ...],
    score: Score,
    with_published: bool,
) -> Line:
    scored = [[_scores(unit, split, score) for unit in replicate] for replicate in replicates]
    complete = all(unit for replicate in scored for unit in replicate)
    cells = {}
    if complete:
        targets = [target.target.value for target in scored[0][0]]
        by_target = {t: [[_ccc(unit, t) for unit in r] for r in scored] for t in targets}
        means = [[statistics.fmean(_ccc(u, t) for t in targets) for u in r] for r in scored]
        for name, units in {**by_target, MEAN: means}.items():
            cells[name] = Cell(
                tuple(statistics.fmean(of) for of in units), tuple(tuple(of) for of in units)
            )
    names = {unit.held_out for replicate in replicates for unit in replicate}
    held_out = names.pop() if len(names) == 1 else "all folds"
    first = scored[0] if complete else []
    return Line(
        label=row["label"],
        split=split if split == "test" else held_out or split,
        cells=cells,
        published=row.get("published", {}) if with_published else {},
        samples=sum(unit[0].samples for unit in first),
        frames=sum(unit[0].frames for unit in first),
        replicates=replicates,
    )


def _scores(unit: Unit, split: str, score: Score) -> list[CccRow]:
    where = split if split == "test" else unit.held_out
    return score(unit, where) if where else []


def _ccc(rows: Sequence[CccRow], target: str) -> float:
    return next(row.ccc for row in rows if row.target.value == target)


def columns_of(targets: Sequence[str]) -> list[str]:
    """What a table shows: its targets, and their mean where it has both."""
    return [*targets, MEAN] if len(targets) > 1 else list(targets)


def write_csv(path: Path, table: str, targets: Sequence[str], lines: Sequence[Line]) -> None:
    """Write a row for each line and target, atomically; nothing is left where nothing is known."""
    header = ["table", "row", "split", "target", "ours", "deviation", "replicates"]
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, PUBLISHED, "samples", "frames"])
        for line in lines:
            for target in columns_of(targets):
                cell = line.cells.get(target)
                writer.writerow(
                    [
                        table,
                        line.label,
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


def ours(line: Line, target: str) -> str:
    """Our number as text: mean, and deviation over replicates."""
    cell = line.cells.get(target)
    if cell is None:
        return "–"
    spread = f" ± {cell.deviation:.3f}" if cell.deviation is not None else ""
    return f"{cell.mean:.3f}{spread}"


def published(line: Line, target: str) -> str:
    """The paper's number as text."""
    value = line.published.get(target)
    return "–" if value is None else f"{value:.4f}"


def notes(published_split: str, random_weights: Mapping[str, str]) -> list[str]:
    """What a reader of the table must know."""
    of = "test" if published_split == "test" else "validation"
    found = [
        "Ours: CCC over the concatenation of all annotated frames of the split, of smoothed "
        "predictions; mean ± sample standard deviation over seeds. A dash: nothing annotated was "
        "held out.",
        f"{PUBLISHED}: the paper's number on the {of} set of that corpus. It says nothing about "
        "ours unless ours is scored on the same set.",
    ]
    if random_weights:
        named = ", ".join(f"{name} ({weights})" for name, weights in random_weights.items())
        found.insert(0, f"SEEDED RANDOM WEIGHTS, not published ones: {named}")
    return found


def write_markdown(
    path: Path, title: str, targets: Sequence[str], lines: Sequence[Line], notes: Sequence[str]
) -> None:
    """Write ours and the published number side by side, target by target."""
    shown = columns_of(targets)
    head = ["model", "split", *(cell for target in shown for cell in (target, PUBLISHED))]
    rows = [head, ["---"] * len(head)]
    for line in lines:
        numbers = [text(line, t) for t in shown for text in (ours, published)]
        rows.append([line.label.replace("|", "\\|"), line.split, *numbers])
    body = ["| " + " | ".join(row) + " |" for row in rows]
    text = [f"# {title}", "", *body, "", *(f"{note}\n" for note in notes)]
    write_text(path, "\n".join(text))


def write_html(
    path: Path, title: str, targets: Sequence[str], lines: Sequence[Line], notes: Sequence[str]
) -> None:
    """Write the page; it loads nothing, and every text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template(TEMPLATE).render(
        title=title,
        targets=columns_of(targets),
        lines=lines,
        notes=notes,
        ours=ours,
        published=published,
        corpus=PUBLISHED,
    )
    write_text(path, page + "\n")

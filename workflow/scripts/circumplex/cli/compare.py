"""``circumplex compare``: two runs side by side, on the terminal and as a page."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from circumplex.io.atomic import write_text
from circumplex.pipeline.comparison import compare_results
from circumplex.report.comparison.page import Comparison, comparison_page
from circumplex.report.rendering import format_fixed, format_percent

EXAMPLE = "circumplex compare results/before results/after --output comparison.html"
WORST = 5
LONGEST_VALUE = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("first", type=Path, metavar="RESULTS", help="results folder of run A")
    parser.add_argument("second", type=Path, metavar="RESULTS", help="results folder of run B")
    parser.add_argument(
        "--output", type=Path, metavar="FILE.html", help="also write the comparison as a page"
    )


def run(options: argparse.Namespace) -> int:
    """Print the comparison, and write the page if one is asked for.

    Raises:
        RequestError: a folder holds no scores.
    """
    comparison = compare_results(options.first, options.second)
    print("\n".join(describe(comparison)))
    if options.output is not None:
        write_text(options.output, comparison_page(comparison))
        print(f"\npage: {options.output}")
    return 0


def describe(comparison: Comparison) -> Iterator[str]:
    """Lines of the comparison for a terminal."""
    yield f"A: {comparison.first}"
    yield f"B: {comparison.second}"
    yield from comparison.notes
    yield ""
    if comparison.lines:
        yield f"CCC; 95 % interval of B − A by {comparison.draws:,} draws of whole samples"
        yield _table(
            ("", "split", "target", "samples", "A", "B", "B − A", "interval", "B better"),
            [
                (
                    *(line.name, line.split, line.target, line.samples),
                    *map(format_fixed, (line.first, line.second, line.difference)),
                    f"{format_fixed(line.low)} to {format_fixed(line.high)}",
                    format_percent(line.share_above),
                )
                for line in comparison.lines
            ],
        )
    else:
        yield "No model or ensemble has the same name and annotated samples in both runs."
    yield from _changes(comparison)
    yield from _losses(comparison)


def _changes(comparison: Comparison) -> Iterator[str]:
    yield ""
    if not comparison.changes:
        nothing = "not on record" if comparison.changes is None else "no difference"
        yield f"What was asked for: {nothing}"
        return
    yield "What was asked for differently"
    yield _table(
        ("stage", "jobs", "value", "A", "B"),
        [
            (c.stage, c.units, c.key, _shorten(c.first), _shorten(c.second))
            for c in comparison.changes
        ],
    )


def _losses(comparison: Comparison) -> Iterator[str]:
    lost = [line for line in comparison.samples if line.difference < 0][:WORST]
    if lost:
        yield ""
        yield f"Samples with the largest loss, mean CCC of {comparison.compared}"
        rows = [
            (line.sample, *map(format_fixed, (line.first, line.second, line.difference)))
            for line in lost
        ]
        yield _table(("sample", "A", "B", "B − A"), rows)


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return tabulate(rows, head, tablefmt="simple", disable_numparse=True)

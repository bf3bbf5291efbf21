"""What the report draws: scores, frames, samples, training and tables, ready for its template."""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from circumplex.io.parquet import read_columns
from circumplex.io.spreadsheet import restore_cell
from circumplex.report import figures
from circumplex.report.corpus import CorpusRow
from circumplex.report.figures import Bar, Curve, Dots
from circumplex.report.overview import Overview
from circumplex.report.samples import (
    TEST,
    EnsembleTables,
    Pair,
    SampleResult,
    choose_split,
    read_results,
)
from circumplex.report.scores import (
    ExperimentRow,
    ScoreRow,
    read_scores,
    summarise_experiments,
)
from circumplex.targets import Target


@dataclass(frozen=True)
class Figure:
    """A figure of the overview.

    Attributes:
        picture: data URI.
        text: what it shows, for those who do not see it.
    """

    picture: str
    text: str


@dataclass(frozen=True)
class Training:
    """Training curves of an experiment.

    Attributes:
        experiment: name of the experiment.
        runs: number of folds times seeds.
        epochs: largest number of epochs of a run.
        figures: training loss, and validation CCC.
    """

    experiment: str
    runs: int
    epochs: int
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Ablation:
    """A table of the paper as bars.

    Attributes:
        name: name of the table.
        split: what the numbers were scored on.
        figures: one for each target of the table.
    """

    name: str
    split: str
    figures: tuple[Figure, ...]


def read_samples(
    corpus: Sequence[CorpusRow], ensembles: Sequence[EnsembleTables]
) -> tuple[list[SampleResult], Overview, str]:
    """Read all samples: their numbers, and the overview of one split, which is named.

    The overview has the samples of the first ensemble alone; without any annotation, all of them.
    """
    by_split: dict[str, Overview] = defaultdict(Overview)
    unannotated = Overview()
    results = []
    for read in read_results(corpus, ensembles):
        if isinstance(read, SampleResult):
            results.append(read)
            continue
        results.append(read.result)
        if read.result.ensemble is ensembles[0]:
            _count(read, by_split, unannotated)
    split, parts = choose_split([r for r in results if r.ensemble in ensembles[:1]])
    overviews = [by_split[part] for part in sorted(parts) if part in by_split]
    if not overviews:
        return results, unannotated, ""
    total = overviews[0]
    for other in overviews[1:]:
        total = total.plus(other)
    return results, total, split


def _count(pair: Pair, by_split: dict[str, Overview], unannotated: Overview) -> None:
    if pair.result.errors:
        by_split[pair.result.split].add(pair.predicted, pair.annotated)
    else:
        unannotated.add(pair.predicted, None)


def score_section(metrics: Path) -> dict[str, Any]:
    """Values of the template for the tables of scores and their figures."""
    ensembles, models = read_scores(metrics)
    experiments = summarise_experiments(models)
    rows = list(_dots(ensembles, experiments, models))
    return {
        "ensembles": ensembles,
        "experiments": experiments,
        "models": models,
        "best": _best(ensembles),
        "clips": any(math.isfinite(row.clip_valence + row.clip_arousal) for row in ensembles),
        "score_figures": [
            Figure(
                figures.score_figure([row[target] for row in rows], target),
                f"CCC of each model and ensemble for {target}",
            )
            for target in (Target if rows else ())
        ],
        "most_bars": figures.MOST_BARS,
        "score_rows": len(rows),
    }


def _dots(
    ensembles: Sequence[ScoreRow],
    experiments: Sequence[ExperimentRow],
    models: Sequence[ScoreRow],
) -> Iterator[Mapping[Target, Dots]]:
    """Rows of the figure of scores by target, ensembles first; with one split, it is not named."""
    several = len({row.split for row in (*ensembles, *models)}) > 1

    def label(name: str, split: str) -> str:
        return f"{name} ({split})" if several else name

    for row in ensembles:
        name = label(row.name, row.split)
        values = dict(zip(Target, (row.valence, row.arousal), strict=True))
        yield {target: Dots(name, (), value, True) for target, value in values.items()}
    for experiment in experiments:
        name = label(experiment.experiment, experiment.split)
        key = (experiment.experiment, experiment.split)
        runs = [row for row in models if (row.name, row.split) == key]
        spreads = dict(zip(Target, experiment.scores[:2], strict=True))
        yield {
            target: Dots(name, [getattr(run, target.value) for run in runs], spreads[target].mean)
            for target in Target
        }


def _best(ensembles: Sequence[ScoreRow]) -> ScoreRow | None:
    """The ensemble with the highest mean CCC on samples that no model was trained on."""
    scored = [row for row in ensembles if row.split != "train" and math.isfinite(row.mean)]
    return max(scored, key=lambda row: row.mean, default=None)


def overview_section(
    results: Sequence[SampleResult], overview: Overview, split: str
) -> dict[str, Any]:
    """Values of the template for the figures of frames and samples."""
    drawn = list(
        _draw_annotated(results, overview, split) if split else _draw_alone(results, overview)
    )
    first = next((r.ensemble.name for r in results if r.ensemble is not None), "")
    return {
        "overview_figures": drawn,
        "overview_split": split,
        "overview_samples": overview.samples,
        "overview_ensemble": first,
    }


def _draw_annotated(
    results: Sequence[SampleResult], overview: Overview, split: str
) -> Iterator[Figure]:
    """Figures of a run with annotated samples."""
    for target in Target:
        counts = overview.agreement[target]
        if counts.any():
            picture = figures.agreement_figure(counts, target, overview.ccc(target))
            yield Figure(picture, f"Predicted against annotated {target}, a density of frames")
    if overview.annotated.any():
        for counts, title in (
            (overview.annotated, "annotated frames"),
            (overview.predicted, "predicted frames"),
        ):
            yield Figure(figures.circle_figure(counts, title), f"Circumplex of the {title}")
        picture = figures.confusion_figure(overview.confusion)
        yield Figure(picture, "Predicted quadrants of the frames of each annotated quadrant")
    _, parts = choose_split(results)
    shown = sorted((r for r in results if r.errors and r.split in parts), key=lambda r: r.rank)
    yield from _draw_ranks(shown, split)


def _draw_ranks(ranked: Sequence[SampleResult], split: str) -> Iterator[Figure]:
    """The CCC of samples from the worst; their error where no annotation changes over time."""
    title = "CCC per sample"
    values = [r.ccc for r in ranked if r.ccc]
    if not values:
        title = "mean absolute error per sample"
        values = [r.errors for r in ranked if r.errors]
    table = np.array([[of.get(target, math.nan) for target in Target] for of in values])
    if len(table):
        text = f"{title} of {split}, worst first"
        yield Figure(figures.rank_figure(table, title), text)


def _draw_alone(results: Sequence[SampleResult], overview: Overview) -> Iterator[Figure]:
    """Figures of a run without any annotated sample."""
    means = [[r.means[target] for target in Target] for r in results if r.means]
    if means:
        picture = figures.circle_figure(overview.predicted, "predicted frames", np.array(means))
        yield Figure(picture, "Circumplex of the predicted frames, a dot for the mean of a sample")
        picture = figures.quadrant_figure(overview.quadrants)
        yield Figure(picture, "Share of the frames in each quadrant of the circumplex")


def draw_trainings(logs: Mapping[str, Path]) -> Iterator[Training]:
    """Training curves of each experiment, from the tables of epochs of its runs."""
    experiments: dict[str, list[Curve]] = defaultdict(list)
    columns = ["epoch", "train_loss", *(f"ccc_{target}" for target in Target)]
    for run, path in logs.items():
        epoch, loss, *ccc = read_columns(path, columns)
        # Without validation, a column may be null, which becomes NaN as float64.
        scores = np.stack([np.asarray(values, dtype=np.float64) for values in ccc], axis=1)
        experiments[run.rsplit("/", 2)[0]].append(Curve(epoch, loss, scores))
    for experiment, curves in experiments.items():
        epochs = max(len(curve.epoch) for curve in curves)
        pictures = figures.training_figures(curves)
        texts = (f"Training loss of {experiment}", f"Validation CCC of {experiment}")
        drawn = tuple(map(Figure, pictures, texts))
        yield Training(experiment, len(curves), epochs, drawn)


def draw_ablations(tables: Mapping[str, Path]) -> Iterator[Ablation]:
    """Bars of the paper's tables, of what was held out from training; else of the test samples."""
    for name, path in tables.items():
        with path.open(encoding="utf-8", newline="") as file:
            scored = [row for row in csv.DictReader(file) if row["ours"]]
        rows = [row for row in scored if row["split"] != TEST] or scored
        by_target: dict[str, list[Bar]] = defaultdict(list)
        for row in rows:
            deviation = float(row["deviation"]) if row["deviation"] else None
            bar = Bar(restore_cell(row["row"]), float(row["ours"]), deviation)
            by_target[row["target"]].append(bar)
        if rows:
            splits = dict.fromkeys(row["split"] for row in rows)
            yield Ablation(name, ", ".join(splits), tuple(_bar_figures(name, by_target)))


def _bar_figures(table: str, bars: Mapping[str, Iterable[Bar]]) -> Iterator[Figure]:
    colours = {target.value: colour for target, colour in figures.COLOURS.items()}
    for target, rows in bars.items():
        colour = colours.get(target, figures.QUIET)
        picture = figures.ablation_figure(list(rows), target, colour)
        yield Figure(picture, f"CCC of the rows of {table}, {target}")

"""Scores in the report: one row per model or ensemble and split, and experiments over seeds."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from circumplex.targets import Target


@dataclass(frozen=True)
class ScoreRow:
    """CCC of an ensemble, or of one trained model, on a split.

    Attributes:
        name: name of the ensemble or the experiment.
        fold: fold of the model; empty for an ensemble.
        seed: seed of the model; -1 for an ensemble.
        split: split it was scored on.
        valence, arousal: CCC in [-1, 1]; NaN where undefined.
        frames: number of scored annotated frames.
        samples: number of samples with annotated frames.
        clip_valence, clip_arousal: CCC over samples, each counted once with its means; NaN where
            undefined.
    """

    name: str
    fold: str
    seed: int
    split: str
    valence: float
    arousal: float
    frames: int
    samples: int
    clip_valence: float = math.nan
    clip_arousal: float = math.nan

    @property
    def mean(self) -> float:
        """Mean CCC of the two targets, the challenge's score."""
        return (self.valence + self.arousal) / 2


@dataclass(frozen=True)
class Spread:
    """Mean over all runs, and deviation over seeds.

    Attributes:
        mean: mean over all folds and seeds.
        deviation: sample standard deviation over seeds of the mean over folds; NaN with one seed.
    """

    mean: float
    deviation: float


@dataclass(frozen=True)
class ExperimentRow:
    """CCC of an experiment on a split.

    Attributes:
        experiment, split: experiment and the split it was scored on.
        folds, seeds: number of folds and of seeds.
        scores: `Spread` of valence, arousal, and their mean.
    """

    experiment: str
    split: str
    folds: int
    seeds: int
    scores: tuple[Spread, Spread, Spread]


def read_scores(metrics: Path) -> tuple[list[ScoreRow], list[ScoreRow]]:
    """Read the rows of ensembles and those of models from the CCC table, both targets in a row."""
    by_key: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    for row in pq.read_table(metrics).to_pylist():
        ensemble = row["kind"] == "ensemble"
        name = row["model"] if ensemble else row["experiment"]
        fold, seed = ("", -1) if ensemble else (str(row["fold"]), row["seed"])
        scores = by_key[ensemble, name, fold, seed, row["split"]]
        scores[row["target"]] = math.nan if row["ccc"] is None else row["ccc"]
        scores["counts"] = row["frames"], row["samples"]
        by_clip = row.get("clip_ccc")
        scores[f"clip {row['target']}"] = math.nan if by_clip is None else by_clip
    parts: tuple[list[ScoreRow], list[ScoreRow]] = ([], [])
    for (ensemble, *key), scores in by_key.items():
        targets = [scores.get(target.value, math.nan) for target in Target]
        clips = [scores.get(f"clip {target.value}", math.nan) for target in Target]
        parts[not ensemble].append(ScoreRow(*key, *targets, *scores["counts"], *clips))
    return parts


def summarise_experiments(models: Sequence[ScoreRow]) -> list[ExperimentRow]:
    """Summarise the models' scores, one row per experiment and split."""
    grouped: dict[tuple[str, str], list[ScoreRow]] = defaultdict(list)
    for row in models:
        grouped[row.name, row.split].append(row)
    return [
        ExperimentRow(
            experiment,
            split,
            folds=len({row.fold for row in rows}),
            seeds=len({row.seed for row in rows}),
            scores=(
                _spread((row.seed, row.valence) for row in rows),
                _spread((row.seed, row.arousal) for row in rows),
                _spread((row.seed, row.mean) for row in rows),
            ),
        )
        for (experiment, split), rows in grouped.items()
    ]


def _spread(scores: Iterable[tuple[int, float]]) -> Spread:
    by_seed: dict[int, list[float]] = defaultdict(list)
    for seed, score in scores:
        by_seed[seed].append(score)
    means = [statistics.fmean(values) for values in by_seed.values()]
    everything = [score for values in by_seed.values() for score in values]
    # statistics.stdev raises for values that are not finite.
    defined = len(means) > 1 and all(map(math.isfinite, means))
    return Spread(statistics.fmean(everything), statistics.stdev(means) if defined else math.nan)

"""A search of hyperparameters: proposals by Optuna, and the results of the trials.

Proposals are reproducible from the scores alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pyarrow.parquet as pq
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from circumplex.config.search import Parameters
from circumplex.io.atomic import read_json
from circumplex.io.digests import value_digest
from circumplex.targets import TARGETS

STARTUP_TRIALS = 8
"""Trials drawn at random before the sampler uses scores; Optuna's default is 10."""


class Sampler(StrEnum):
    """How parameters are proposed.

    `TPE`: tree-structured Parzen estimator (Bergstra et al., 2011), after `STARTUP_TRIALS` at
    random; `RANDOM`: all at random.
    """

    TPE = "tpe"
    RANDOM = "random"


@dataclass(frozen=True)
class Finished:
    """What the sampler knows of a trial that has ended.

    Attributes:
        parameters: parameters of the trial.
        score: to be maximised; NaN where its training failed.
    """

    parameters: Parameters
    score: float


@dataclass(frozen=True)
class Trial:
    """A trial and its result.

    Attributes:
        number: number of the trial, from 0.
        parameters: parameters of the trial.
        ccc: CCC of each target on the validation samples, of raw predictions, at the target's best
            epoch; NaN where its training failed, or no validation sample annotates the target.
    """

    number: int
    parameters: Parameters
    ccc: Mapping[str, float]

    @property
    def score(self) -> float:
        """What the search maximises: mean CCC of valence and arousal, if both are annotated."""
        found = [ccc for ccc in self.ccc.values() if not math.isnan(ccc)]
        return float(np.mean(found)) if found else math.nan


def propose(
    space: Mapping[str, Any], finished: Sequence[Finished], count: int, sampler: Sampler, seed: int
) -> list[dict[str, float | int]]:
    """Propose the parameters of the next trials.

    The same arguments give the same proposals: the study lives in memory, and its sampler is
    seeded by ``seed`` and the number of finished trials.

    Args:
        space: ``learning_rate`` and ``dropout`` as ``{low, high}`` (the rate on a logarithmic
            scale), ``hidden`` as a list of widths, ``features`` as a list of sets.
        finished: trials of the rounds before, in order.
        count: number of proposals; those of the round so far count as bad ones (constant liar),
            so that a round does not try one place many times.
        sampler: see `Sampler`.
        seed: seed of the search.

    Returns:
        by proposal, the parameters.
    """
    distributions = _distributions(space)
    # 2^32 seeds: what numpy's generator takes.
    drawn = int(value_digest([seed, len(finished)])[:8], 16)
    chosen: optuna.samplers.BaseSampler = (
        optuna.samplers.TPESampler(
            n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True, seed=drawn
        )
        if sampler is Sampler.TPE
        else optuna.samplers.RandomSampler(seed=drawn)
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=chosen)
    for trial in finished:
        failed = math.isnan(trial.score)
        study.add_trial(
            optuna.trial.create_trial(
                params={**trial.parameters},
                distributions=distributions,
                value=None if failed else trial.score,
                state=TrialState.FAIL if failed else TrialState.COMPLETE,
            )
        )
    return [dict(study.ask(distributions).params) for _ in range(count)]


def _distributions(space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    distributions: dict[str, BaseDistribution] = {
        "features": CategoricalDistribution(range(len(space["features"])))
    }
    if "hidden" in space:
        distributions["hidden"] = CategoricalDistribution(space["hidden"])
    for key in ("learning_rate", "dropout"):
        if key in space:
            low, high = space[key]["low"], space[key]["high"]
            distributions[key] = FloatDistribution(low, high, log=key == "learning_rate")
    return distributions


def read_trials(rounds: Sequence[Path], epochs: Sequence[Path]) -> list[Trial]:
    """Read the trials of a search.

    Args:
        rounds: files of the rounds' proposals, in order.
        epochs: tables of the trials' epochs, in order.
    """
    proposed = [parameters for path in rounds for parameters in read_json(path)]
    trials = []
    for number, (parameters, path) in enumerate(zip(proposed, epochs, strict=True)):
        table = pq.read_table(path)
        ccc = {}
        for target in TARGETS:
            values = table[f"ccc_{target}"].to_numpy().astype(float)
            ccc[target] = math.nan if np.isnan(values).all() else float(np.nanmax(values))
        trials.append(Trial(number, parameters, ccc))
    return trials


def rows(trials: Sequence[Trial], space: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write trials as rows of a table, the best first, those that failed last."""
    ordered = sorted(trials, key=lambda t: (math.isnan(t.score), -t.score, t.number))
    return [
        {
            "trial": trial.number,
            **{key: trial.parameters[key] for key in trial.parameters if key != "features"},
            "features": " ".join(space["features"][int(trial.parameters["features"])]),
            **{f"ccc_{target}": trial.ccc[target] for target in TARGETS},
            "score": trial.score,
        }
        for trial in ordered
    ]

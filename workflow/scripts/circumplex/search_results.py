"""What the trials of a search came to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from circumplex.files import read_json
from circumplex.search_space import Parameters

TARGETS = ("valence", "arousal")


@dataclass(frozen=True)
class Trial:
    """A trial.

    Attributes:
        number: from 0.
        parameters: that it had.
        ccc: of each target on the validation samples, raw predictions, at that target's best epoch;
            NaN where training came to nothing.
    """

    number: int
    parameters: Parameters
    ccc: Mapping[str, float]

    @property
    def score(self) -> float:
        """What the search maximises: mean CCC of valence and arousal."""
        return float(np.mean([*self.ccc.values()]))


def read_trials(rounds: Sequence[Path], epochs: Sequence[Path]) -> list[Trial]:
    """Trials by the rounds that proposed them and their tables of epochs, both in order."""
    proposed = [parameters for path in rounds for parameters in read_json(path)]
    trials = []
    for number, (parameters, path) in enumerate(zip(proposed, epochs, strict=True)):
        table = pq.read_table(path)
        ccc = {}
        for target in TARGETS:
            values = table[f"ccc_{target}"].to_numpy().astype(float)
            ccc[target] = float(np.nanmax(values)) if len(values) else math.nan
        trials.append(Trial(number, parameters, ccc))
    return trials


def rows(trials: Sequence[Trial], space: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Trials as rows of a table, the best first; those that came to nothing last."""
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

"""The space of a hyperparameter search, and what a trial's parameters mean for its training.

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Parameters = Mapping[str, float | int]
"""A trial's parameters: learning_rate, dropout, hidden, and features as the number of a set."""


def rounds(trials: int, parallel: int) -> list[range]:
    """Trials of each round, from 0: a round's trials run side by side and know all before."""
    return [range(first, min(first + parallel, trials)) for first in range(0, trials, parallel)]


def trial_training(choices: Sequence[Mapping[str, Any]], parameters: Parameters) -> dict[str, Any]:
    """Build the values of a trial's model, for `TrainingSpec.read`.

    Args:
        choices: by set of features, the values that the search starts from.
        parameters: of the trial; what they leave out stays.
    """
    values = dict(choices[int(parameters.get("features", 0))])
    encoder = dict(values["encoder"])
    encoder.update({key: parameters[key] for key in ("hidden", "dropout") if key in parameters})
    if "learning_rate" in parameters:
        values["learning_rate"] = parameters["learning_rate"]
    return {**values, "encoder": encoder}


def preset(search: Mapping[str, Any], parameters: Parameters) -> dict[str, Any]:
    """Config of an experiment with a trial's parameters, an ensemble and a submission of it.

    Args:
        search: the section ``search`` of the config.
        parameters: of the trial.
    """
    training = dict(search.get("training", {}))
    options = dict(search.get("encoder_options", {}))
    options.update({key: parameters[key] for key in ("hidden", "dropout") if key in parameters})
    if "learning_rate" in parameters:
        training["learning_rate"] = parameters["learning_rate"]
    return {
        "experiments": {
            "search_best": {
                "encoder": search["encoder"],
                "encoder_options": options,
                "training": training,
                "features": search["space"]["features"][int(parameters.get("features", 0))],
                "strategy": "official",
                "seeds": [0, 1, 2],
            }
        },
        "ensembles": {"search_best": {"valence": ["search_best"], "arousal": ["search_best"]}},
        "submissions": {"search_best": {"ensemble": "search_best", "format": "abaw3"}},
    }

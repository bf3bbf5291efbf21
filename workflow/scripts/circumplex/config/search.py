"""The search of hyperparameters: its options, and what a trial's parameters mean for its training.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from circumplex.config.encoders.base import Rate, Share, Width
from circumplex.config.experiments import Names
from circumplex.config.model_sections import WithEncoder
from circumplex.config.section import Lax, Section, Seed, Unique

Parameters = Mapping[str, float | int]
"""A trial's parameters: learning_rate, dropout, hidden, and features as the number of a set."""


class RateRange(Section):
    """Learning rates, on a logarithmic scale."""

    low: Rate = Field(description="lowest")
    high: Rate = Field(description="highest")


class DropoutRange(Section):
    """Dropout of the regressor."""

    low: Share = Field(description="lowest")
    high: Share = Field(description="highest")


class Space(Section):
    """What the trials of a search choose from."""

    learning_rate: RateRange | None = Field(None, description="of training, on a logarithmic scale")
    dropout: DropoutRange | None = Field(None, description="of the regressor")
    hidden: Unique[Annotated[tuple[Width, ...], Field(min_length=1)]] | None = Field(
        None, description="widths of fusion and encoder to choose from"
    )
    features: Lax[Annotated[tuple[Names, ...], Field(min_length=1)]] = Field(
        description="sets of features to choose from"
    )

    @model_validator(mode="after")
    def _are_ranges(self) -> Self:
        for key in ("learning_rate", "dropout"):
            chosen: RateRange | DropoutRange | None = getattr(self, key)
            if chosen is not None and not chosen.low < chosen.high:
                raise ValueError(f"{key}: low must be below high")
        return self


class Search(WithEncoder):
    """A search of hyperparameters, one job per trial, scored on split val."""

    seed: Seed = Field(0, description="of each training")
    sampler: Literal["tpe", "random"] = Field("tpe", description="how trials are proposed")
    sampler_seed: Seed = Field(0, description="of the sampler")
    trials: int = Field(32, ge=1, le=1000, description="models that are trained")
    parallel: int = Field(
        4,
        ge=1,
        le=1000,
        description="trials per round: side by side, from the scores of the rounds before",
    )
    space: Space


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

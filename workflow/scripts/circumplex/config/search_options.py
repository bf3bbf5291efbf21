"""Options of the search of hyperparameters.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from circumplex.config.encoders.base import Rate, Share, Width
from circumplex.config.experiments import Names
from circumplex.config.model_sections import EncoderChoice
from circumplex.config.section import Lax, Section, Seed, Unique


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


class Search(EncoderChoice):
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

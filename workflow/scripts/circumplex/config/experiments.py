"""Experiments, ensembles, submissions and tables: what a run is asked for.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from circumplex.config.model_sections import WithEncoder
from circumplex.config.section import Lax, Section, Seed, Text, Unique, defaults_of

Ccc = Annotated[float, Field(ge=-1, le=1)]
Seeds = Unique[Annotated[tuple[Seed, ...], Field(min_length=1)]]
Names = Unique[Annotated[tuple[Text, ...], Field(min_length=1)]]
Coefficient = Annotated[float, Field(ge=-1000, le=1000)]
PRETRAINED = "pretrained"
"""In place of a strategy and of a fold's name: a model that is not trained here."""
TableName = Annotated[str, Field(pattern=r"^table[A-Za-z0-9_]{0,32}$")]
"""The table and what tells it from others, such as ``table5``."""


class Strategy(StrEnum):
    """How training and validation samples are chosen (paper, section 3.5)."""

    OFFICIAL = "official"
    KFOLD = "kfold"
    TRAIN_VAL_MIX = "train_val_mix"


class Experiment(WithEncoder):
    """A model to train, with several seeds or on several folds."""

    features: Names = Field(description="what the model reads, by name")
    strategy: Lax[Strategy] = Field(
        Strategy.OFFICIAL, description="how training and validation samples are chosen"
    )
    seeds: Seeds = Field((0, 1, 2), description="one model per seed and fold")


class Readout(Section):
    """A target as a weighted sum of a feature's values, which is clipped to [-1, 1] afterwards."""

    coefficients: Annotated[dict[Text, Coefficient], Field(min_length=1)] = Field(
        description="factor of each of the feature's values, by the value's name; 0 for those left "
        "out"
    )
    intercept: Coefficient = Field(0.0, description="added to the sum")


class PretrainedModel(Section):
    """A model that is trained elsewhere: a network whose values say valence and arousal.

    It takes the place of an experiment in ensembles and tables, and reads one feature.
    """

    feature: Text = Field(description="what the model reads, by name; its values have names")
    valence: Readout = Field(description="how the feature's values give valence")
    arousal: Readout = Field(description="how they give arousal")
    source: str = Field("", description="where the coefficients come from, for reports")


class Method(StrEnum):
    """How predictions of an ensemble's models are combined.

    `MEAN`: of all models (the paper). `CCC_WEIGHTED`: mean weighted by held-out CCC.
    `STACKED_RIDGE`: ridge regression on out-of-fold predictions.
    """

    MEAN = "mean"
    CCC_WEIGHTED = "ccc_weighted"
    STACKED_RIDGE = "stacked_ridge"


class Ensemble(Section):
    """Models whose predictions are combined, target by target (section 3.5)."""

    valence: Names = Field(description="experiments, or pretrained models, that predict valence")
    arousal: Names = Field(description="experiments, or pretrained models, that predict arousal")
    seeds: Seeds | None = Field(None, description="only models of these seeds; all by default")
    method: Lax[Method] = Field(
        Method.MEAN,
        description="mean of all models; the others weigh experiments by held-out predictions",
    )
    alpha: float = Field(
        0.01,
        ge=1e-12,
        le=1e12,
        description="ridge penalty of stacked_ridge, in the unit of the predictions' variance (our "
        "choice)",
    )


class SubmissionFormat(StrEnum):
    """A challenge's format: a text per sample, or one CSV with image_location."""

    ABAW3 = "abaw3"
    ABAW6 = "abaw6"


class Submission(Section):
    """An ensemble written out in a challenge's format."""

    ensemble: Text = Field(description="by name")
    format: Lax[SubmissionFormat] = Field(
        description="abaw3: a text per sample, valence,arousal; abaw6: one CSV with image_location"
    )
    list: Text | None = Field(
        None,
        description="the organisers' test list or sample file: exactly its rows in its order",
    )
    rows: Literal["video", "list"] | None = Field(
        None,
        description="whose count of frames: of the decoded video, or of the list's images; by "
        "default list for abaw6 with a list of images, else video",
    )
    max_difference: int = Field(
        30, ge=0, le=1_000_000, description="frames that the two counts may differ by"
    )


class Published(Section):
    """Numbers of the paper, on Aff-Wild2."""

    valence: Ccc | None = Field(None, description="CCC of valence")
    arousal: Ccc | None = Field(None, description="CCC of arousal")
    mean: Ccc | None = Field(None, description="mean of the two")


class Row(Section):
    """A row of a table: one experiment, ensembles (one per seed) or one submission."""

    label: Text = Field(description="what the row is called")
    experiment: Text | None = Field(None, description="by name")
    fold: int | None = Field(
        None, ge=1, le=1000, description="of an experiment of strategy kfold; all by default"
    )
    ensembles: Names | None = Field(None, description="mean and deviation are over these")
    submission: Text | None = Field(None, description="by name")
    published: Published = defaults_of(Published)


class Table(Section):
    """A table of the paper, our numbers and the published ones side by side."""

    title: Text = Field(description="above the table")
    targets: Unique[Annotated[tuple[Literal["valence", "arousal"], ...], Field(min_length=1)]] = (
        Field(("valence", "arousal"), description="columns")
    )
    split: Literal["val", "test"] = Field(
        "val", description="what the published numbers were scored on"
    )
    rows: Lax[Annotated[tuple[Row, ...], Field(min_length=1)]] = Field(description="in order")

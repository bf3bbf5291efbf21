"""The whole config as one model: every key with its range, default and meaning.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, create_model

from circumplex.config.experiments import (
    Ensemble,
    Experiment,
    PretrainedModel,
    Submission,
    Table,
    TableName,
)
from circumplex.config.faces import FaceOptions
from circumplex.config.feature_options import ImportedFeature
from circumplex.config.features import FEATURES, options_of
from circumplex.config.model_sections import Encoders
from circumplex.config.outputs import Outputs
from circumplex.config.preparation import (
    Compute,
    Fill,
    Folds,
    Labels,
    Media,
    Packs,
    Timeline,
)
from circumplex.config.recipes import Recipe
from circumplex.config.search import Search
from circumplex.config.section import Name, Section, Text, Unique, defaults_of
from circumplex.config.smoothing import Smoothing
from circumplex.config.still_sets import AnyStillSet
from circumplex.config.training import TrainingOptions
from circumplex.config.values import without_nulls

RESERVED = ("sample", "frame", "frames", "time_s")
"""Columns of every table of features."""


def _check_free(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"is a column of every table: a feature cannot be called {name}")
    return name


FeatureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$"), AfterValidator(_check_free)]


class Features(Section):
    """The extractors of this package, and features of the user's own, which are imported."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[FeatureName, ImportedFeature]


class Backbones(Section):
    """Visual networks to train on still images (docs/backbones.md)."""

    still_sets: dict[Name, AnyStillSet] = Field({}, description="sets of still images by name")
    recipes: dict[Name, Recipe] = Field(
        {}, description="networks to train by name; nothing is trained that no feature names"
    )


class Config(Section):
    """``config.yaml``, overlaid with the presets given on the command line."""

    samples: Text = Field(
        "data/samples.tsv", description="sample sheet, tab-separated (docs/samples.md)"
    )
    results: Text = Field("results", description="folder of everything that the workflow makes")
    shards: int = Field(
        32,
        ge=1,
        le=999,
        description="jobs per stage; a sample's shard is a hash of its name (our choice: about 16 "
        "samples per job)",
    )
    exclude: Unique[tuple[Text, ...]] = Field(
        (), description="names of samples to leave out, such as those that check_failures lists"
    )
    weights_cache: Text = Field(
        "resources/weights",
        description="folder of published weights; projects may share one. The environment variable "
        "CIRCUMPLEX_WEIGHTS, where set, comes before it",
    )
    export: Text | None = Field(
        None, description="folder of an exported ensemble: predict with it instead of training"
    )
    compute: Compute = defaults_of(Compute)
    media: Media = defaults_of(Media)
    timeline: Timeline = defaults_of(Timeline)
    faces: FaceOptions = defaults_of(FaceOptions)
    fill: Fill = defaults_of(Fill)
    labels: Labels = defaults_of(Labels)
    features: Features = defaults_of(Features)
    backbones: Backbones = defaults_of(Backbones)
    packs: Packs = defaults_of(Packs)
    folds: Folds = defaults_of(Folds)
    training: TrainingOptions = defaults_of(TrainingOptions)
    encoders: Encoders = defaults_of(Encoders)  # type: ignore[valid-type]
    experiments: dict[Name, Experiment] = Field(
        {}, description="models to train by name; only those that are asked for are trained"
    )
    pretrained: dict[Name, PretrainedModel] = Field(
        {},
        description="models that need no training here by name, which ensembles and tables may "
        "name beside experiments",
    )
    ensembles: dict[Name, Ensemble] = Field(
        {}, description="combined predictions by name, members apart for each target"
    )
    submissions: dict[Name, Submission] = Field(
        {}, description="ensembles in a challenge's format by name"
    )
    tables: dict[TableName, Table] = Field(
        {}, description="tables with our numbers beside the published ones, by name"
    )
    search: Search | None = Field(None, description="a search of hyperparameters")
    smoothing: Smoothing = defaults_of(Smoothing)
    outputs: Outputs = defaults_of(Outputs)


@cache
def features_model() -> type[Features]:
    """The section ``features``, with a field for each extractor that is there."""
    fields: dict[str, Any] = {
        name: (options_of(name), Field(default_factory=options_of(name))) for name in FEATURES
    }
    return create_model("Features", __base__=Features, __doc__=Features.__doc__, **fields)


@cache
def config_model() -> type[Config]:
    """The whole config, with the extractors that are there."""
    model = features_model()
    return create_model(
        "Config",
        __base__=Config,
        __doc__=Config.__doc__,
        features=(model, Field(default_factory=model)),
    )


def read_config(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Check a config and fill in its defaults.

    Args:
        raw: as Snakemake or YAML read it. A key whose value is null counts as absent: a preset
            drops an entry that it inherits by setting it to null.

    Returns:
        Plain values, as YAML would have them: leaving out a value that is the default gives the
        same.

    Raises:
        RequestError: a line for each problem, with the place, and what to write instead.
    """
    return config_model().read(without_nulls(raw)).plain()

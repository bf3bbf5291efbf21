"""What ``ensemble.json`` of an exported ensemble says; it may come from a stranger.

Nothing in it is a path: names that become parts of paths are plain names, folds and seeds numbers.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from typing import Annotated, Any, Self

from pydantic import Field

from circumplex.config.experiments import (
    PRETRAINED,
    Ensemble,
    Experiment,
    Method,
    PretrainedModel,
    Strategy,
)
from circumplex.config.preparation import Folds, Rate, Timeline
from circumplex.config.section import Lax, Name, Section, defaults_of
from circumplex.config.smoothing import FixedSmoothing
from circumplex.errors import RequestError
from circumplex.targets import Target

RunPath = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/(official|mix|fold[0-9]{1,4}|pretrained)"
        r"/seed[0-9]{1,10}$"
    ),
]
"""Experiment, fold and seed of a model."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FeatureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class ExportedStage(Section):
    """How one stage computes its part of a feature."""

    version: int = Field(ge=1, description="of the stage")
    options: dict[str, Any] = Field(description="of the stage, weights by their content")


class ExportedWeights(Section):
    """A combination of experiments that was fitted on held-out annotations."""

    weights: dict[Name, float] = Field(description="by experiment")
    intercept: float = Field(description="added to the weighted sum")


class ExportedEnsemble(Section):
    """The description of an exported ensemble."""

    ensemble: Name = Field(description="its name")
    members: Ensemble = Field(description="experiments by target, seeds, method")
    experiments: dict[Name, Experiment] = Field(description="by name")
    pretrained: dict[Name, PretrainedModel] = Field({}, description="by name")
    folds: Folds = Field(description="of strategy kfold")
    timeline: Timeline = defaults_of(Timeline)
    trained_rate: Rate | None = Field(
        None, description="median frames per second of the samples, where the timeline is native"
    )
    smoothing: FixedSmoothing = Field(description="of predictions")
    features: dict[FeatureName, Annotated[dict[StageName, ExportedStage], Field(min_length=1)]] = (
        Field(description="how each feature is computed, stage by stage")
    )
    scaled_by_group: Lax[tuple[Name, ...]] = Field(
        (), description="experiments whose models scale features by the sample's own group"
    )
    models: dict[RunPath, Digest] = Field(description="SHA-256 of each model")
    windows: dict[RunPath, FixedSmoothing] = Field({}, description="chosen for each model")
    combination: dict[Lax[Target], ExportedWeights] = Field({}, description="fitted, by target")

    def runs(self) -> dict[str, tuple[str, ...]]:
        """The ensemble's models by path, with the features that they read.

        Raises:
            RequestError: a member is no experiment of the description.
        """
        found: dict[str, tuple[str, ...]] = {}
        for target in Target:
            for name in getattr(self.members, target):
                if name in self.pretrained:
                    found[f"{name}/{PRETRAINED}/seed0"] = (self.pretrained[name].feature,)
                    continue
                if name not in self.experiments:
                    raise RequestError(f"members.{target} names {name!r}, no experiment has it")
                experiment = self.experiments[name]
                for fold in self._folds(experiment):
                    for seed in self._seeds(experiment):
                        found[f"{name}/{fold}/seed{seed}"] = experiment.features
        return found

    def _folds(self, experiment: Experiment) -> list[str]:
        match experiment.strategy:
            case Strategy.OFFICIAL:
                return ["official"]
            case Strategy.TRAIN_VAL_MIX:
                return ["mix"]
            case Strategy.KFOLD:
                return [f"fold{fold}" for fold in range(1, self.folds.count + 1)]

    def _seeds(self, experiment: Experiment) -> list[int]:
        chosen = self.members.seeds
        return [seed for seed in experiment.seeds if chosen is None or seed in chosen]

    def check(self) -> None:
        """Check that the parts go together.

        Raises:
            RequestError: naming the first that does not.
        """
        runs = self.runs()
        trained = {path for path in runs if path.split("/")[0] not in self.pretrained}
        for path in sorted(trained - self.models.keys()):
            raise RequestError(f"models: {path} is missing")
        for path in sorted({*self.models, *self.windows} - runs.keys()):
            raise RequestError(f"{path} is no model of the ensemble's members")
        for path, features in runs.items():
            for feature in features:
                if feature not in self.features:
                    raise RequestError(f"features lacks {feature}, which model {path} reads")
        if self.members.method is not Method.MEAN:
            for target in Target:
                fitted = self.combination.get(target)
                members = set(getattr(self.members, target))
                if fitted is None or fitted.weights.keys() != members:
                    raise RequestError(
                        f"combination.{target} lacks the weights of {', '.join(sorted(members))}, "
                        f"which method {self.members.method} needs"
                    )

    def members_alone(self) -> Self:
        """The same without experiments and seeds that have no model in the ensemble."""
        members = {run.split("/")[0] for run in self.runs()}
        kept = {
            name: experiment.model_copy(update={"seeds": tuple(self._seeds(experiment))})
            for name, experiment in self.experiments.items()
            if name in members
        }
        pretrained = {name: model for name, model in self.pretrained.items() if name in members}
        return self.model_copy(update={"experiments": kept, "pretrained": pretrained})

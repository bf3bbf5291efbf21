"""What ``ensemble.json`` of an exported ensemble says; it may come from a stranger.

Nothing in it is a path: names that become parts of paths are plain names, folds and seeds numbers.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from circumplex.config.experiments import (
    PRETRAINED,
    Ensemble,
    Experiment,
    Method,
    Readout,
    Strategy,
)
from circumplex.config.preparation import Folds, Timeline
from circumplex.config.section import Lax, Name, Section, Text, defaults_of
from circumplex.config.smoothing import FixedSmoothing
from circumplex.errors import RequestError
from circumplex.targets import Target

RunPath = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/(official|mix|pretrained|fold[0-9]{1,4})/seed[0-9]{1,10}$"
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


class ExportedReadouts(Section):
    """How a feature's values give both targets."""

    valence: Readout = Field(description="of valence")
    arousal: Readout = Field(description="of arousal")


class ExportedPretrained(Section):
    """A model that is trained elsewhere: its feature, and how that gives the targets."""

    features: Lax[tuple[Text]] = Field(description="the one that it reads")
    strategy: Literal["pretrained"] = Field(description="pretrained")
    seeds: Lax[tuple[Literal[0]]] = Field(description="0 alone")
    readout: ExportedReadouts = Field(description="of the feature's values, by target")
    source: str = Field("", description="where the coefficients come from")


class ExportedEnsemble(Section):
    """The description of an exported ensemble."""

    ensemble: Name = Field(description="its name")
    members: Ensemble = Field(description="experiments by target, seeds, method")
    experiments: dict[Name, Experiment] = Field(description="that were trained, by name")
    pretrained: dict[Name, ExportedPretrained] = Field(
        {}, description="models that were not; in the file they stand among the experiments"
    )
    folds: Folds = Field(description="of strategy kfold")
    smoothing: FixedSmoothing = Field(description="of predictions")
    timeline: Timeline = defaults_of(Timeline)
    features: dict[FeatureName, Annotated[dict[StageName, ExportedStage], Field(min_length=1)]] = (
        Field(description="how each feature is computed, stage by stage")
    )
    models: dict[RunPath, Digest] = Field(description="SHA-256 of each model")
    windows: dict[RunPath, FixedSmoothing] = Field({}, description="chosen for each model")
    combination: dict[Lax[Target], ExportedWeights] = Field({}, description="fitted, by target")

    @classmethod
    def read_file(cls, values: Mapping[str, Any], source: str) -> Self:
        """Check what the file says, and that its parts go together.

        Args:
            values: of the file.
            source: how messages begin.

        Raises:
            RequestError: a line for each problem, with the place.
        """
        values = dict(values)
        if "pretrained" in values:
            raise RequestError(f"{source}: unknown key 'pretrained' at top level")
        described = values.get("experiments")
        if isinstance(described, Mapping):
            apart = {name for name, of in described.items() if _is_pretrained(of)}
            values["pretrained"] = {name: described[name] for name in apart}
            values["experiments"] = {n: of for n, of in described.items() if n not in apart}
        found = cls.read(values, source=source)
        try:
            found.check()
        except RequestError as error:
            raise RequestError(f"{source}: {error}") from error
        return found

    @property
    def everything(self) -> dict[str, Experiment | ExportedPretrained]:
        """Experiments and pretrained models by name."""
        return {**self.experiments, **self.pretrained}

    def runs(self) -> dict[str, Experiment | ExportedPretrained]:
        """The ensemble's models by path, with what they come from.

        Raises:
            RequestError: a member is no experiment of the description.
        """
        found = {}
        for target in Target:
            for name in getattr(self.members, target):
                if name not in self.everything:
                    raise RequestError(f"members.{target} names {name!r}, no experiment has it")
                experiment = self.everything[name]
                for fold in self._folds(experiment):
                    for seed in self._seeds(experiment):
                        found[f"{name}/{fold}/seed{seed}"] = experiment
        return found

    def _folds(self, experiment: Experiment | ExportedPretrained) -> list[str]:
        match experiment.strategy:
            case Strategy.OFFICIAL:
                return ["official"]
            case Strategy.TRAIN_VAL_MIX:
                return ["mix"]
            case Strategy.KFOLD:
                return [f"fold{fold}" for fold in range(1, self.folds.count + 1)]
            case _:
                return [PRETRAINED]

    def _seeds(self, experiment: Experiment | ExportedPretrained) -> list[int]:
        chosen = self.members.seeds
        return [seed for seed in experiment.seeds if chosen is None or seed in chosen]

    def check(self) -> None:
        """Check that the parts go together.

        Raises:
            RequestError: naming the first that does not.
        """
        runs = self.runs()
        trained = {path for path, of in runs.items() if isinstance(of, Experiment)}
        for path in sorted(trained - self.models.keys()):
            raise RequestError(f"models: {path} is missing")
        for path in sorted((self.models.keys() - trained) | (self.windows.keys() - runs.keys())):
            raise RequestError(f"{path} is no model of the ensemble's members")
        for path, experiment in runs.items():
            for feature in experiment.features:
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

    def members_alone(self) -> dict[str, Any]:
        """Plain values, without experiments and seeds that have no model in the ensemble."""
        members = {run.split("/")[0] for run in self.runs()}
        kept = {
            name: {**experiment.plain(), "seeds": self._seeds(experiment)}
            for name, experiment in self.everything.items()
            if name in members
        }
        values = {**self.plain(), "experiments": kept}
        del values["pretrained"]
        return values


def _is_pretrained(experiment: Any) -> bool:
    return isinstance(experiment, Mapping) and experiment.get("strategy") == PRETRAINED

"""Weights of a run: their identity, where they lie, and what keeps them from being used.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Callable

from circumplex.config.catalogue import Published, missing_weights, published_problems
from circumplex.config.features import Feature
from circumplex.config.weights import RANDOM
from circumplex.errors import RequestError
from circumplex.io.digests import MISSING
from circumplex.pipeline.backbone_plan import recipe_of
from circumplex.pipeline.contents import Contents
from circumplex.pipeline.plan import Plan

PUBLIC_PRESET = "config/public_weights.yaml"
WITHOUT_ASKING = (
    f"With no weights to ask for: `snakemake --cores 1 --configfile {PUBLIC_PRESET} -- weights` "
    f"fetches other networks for the paper's encoders, protocols and ensembles, and `snakemake "
    f"--cores 8 --configfile {PUBLIC_PRESET}` runs them"
)


class RunWeights:
    """The weights that a plan asks for.

    Args:
        plan: validated request.
        contents: digests of files.
        trained_identity: identity of the weights that a recipe trains in this run.
    """

    def __init__(
        self, plan: Plan, contents: Contents, trained_identity: Callable[[str], str]
    ) -> None:
        self._plan, self._contents = plan, contents
        self._trained_identity = trained_identity

    def identity(self, choice: str) -> str:
        """A choice of weights by content: ``sha256:<hex>``, ``random:<seed>``, ``missing``, or
        ``trained:<digest>`` for weights that this run trains."""
        recipe = recipe_of(choice)
        if recipe is not None and not self._plan.backbones.from_export:
            return self._trained_identity(recipe)
        path = self._plan.weights_path(choice)
        return choice if path is None else self._contents.digest(path)

    def files(self, feature: str, key: str) -> list[str]:
        """File or folder of a feature's weights; empty where they are random or not asked for."""
        choice = self._plan.config["features"][feature].get(key, RANDOM)
        path = self._plan.weights_path(choice)
        return [] if path is None else [str(path)]

    def problems(self) -> list[str]:
        """What keeps the run's weights from being used, one line each."""
        return [
            problem
            for feature in self._plan.features
            for key, choice in self._plan.weight_choices(feature).items()
            for problem in self._problems_of(feature, key, choice)
        ]

    def require(self) -> None:
        """Refuse to extract with weights that are not there.

        Raises:
            RequestError: naming all that are missing or altered, what to put where, and the preset
                that needs none that must be asked for.
        """
        if problems := self.problems():
            if self._plan.export is None and self.by_hand():
                problems.append(WITHOUT_ASKING)
            raise RequestError("\n".join(problems))

    def published(self) -> list[Published]:
        """Entries of the catalogue that the run needs and that are fetched."""
        plan = self._plan
        choices = {c for f in plan.features for c in plan.weight_choices(f).values()}
        if not plan.backbones.from_export:
            choices |= {plan.backbones.start(recipe) for recipe in plan.backbones.recipes}
        entries = [entry for choice in sorted(choices) if (entry := plan.published(choice))]
        return [entry for entry in entries if entry.package is None]

    def are_fetched(self) -> bool:
        """Whether all published weights that the config asks for are there, unaltered."""
        cache, digest = self._plan.weights_cache, self._contents.digest
        return not any(published_problems(entry, cache, digest) for entry in self.published())

    def by_hand(self) -> list[str]:
        """Messages about weights that no rule fetches and that are not there."""
        return [
            problem
            for feature in self._plan.features
            for key, choice in self._plan.weight_choices(feature).items()
            if self._plan.published(choice) is None
            for problem in self._problems_of(feature, key, choice)
        ]

    def recipe_problems(self, recipe: str) -> list[str]:
        """What keeps a recipe from being trained: its sets of stills, or what it starts from."""
        problems = []
        for name in self._plan.backbones.require(recipe).sets:
            try:
                self._contents.still_set(name)
            except RequestError as error:
                problems.append(str(error))
        choice = self._plan.backbones.start(recipe)
        if entry := self._plan.published(choice):
            cache, digest = self._plan.weights_cache, self._contents.digest
            problems += published_problems(entry, cache, digest)
        elif self.identity(choice) == MISSING:
            problems.append(
                f"backbones.recipes.{recipe}.start: {choice} is missing: put the checkpoint there, "
                "name another, or remove start to train from random weights"
            )
        return problems

    def _problems_of(self, feature: Feature, key: str, choice: str) -> list[str]:
        recipe = recipe_of(choice)
        if recipe is not None and not self._plan.backbones.from_export:
            return self.recipe_problems(recipe)
        if entry := self._plan.published(choice):
            cache, digest = self._plan.weights_cache, self._contents.digest
            found = published_problems(entry, cache, digest)
            return [f"{feature.name}: {problem}" for problem in found]
        missing = self.identity(choice) == MISSING
        return [missing_weights(feature.name, choice, key)] if missing else []

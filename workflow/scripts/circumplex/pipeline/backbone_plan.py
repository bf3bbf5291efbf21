"""Backbones in the plan of a run: which are trained, for which features, and from what.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from circumplex.config.recipes import Architecture, Recipe
from circumplex.config.validation import suggestion
from circumplex.config.weights import RANDOM, TRAINED
from circumplex.errors import RequestError

FOLDER = "backbones"
APART = ("start", "paper")
"""Of a recipe in the config, what is no value of `Recipe`."""
MATCHED = ("depth", "channels", "blocks")
"""Of a network: what a recipe and the feature that it is for must agree on."""
TRAINABLE: Mapping[str, Architecture] = {
    "densenet": Architecture.DENSENET,
    "iresnet": Architecture.IRESNET,
    "fau": Architecture.IRESNET,
}
"""Features whose weights a recipe can make."""


class BackbonePlan:
    """The config's part on backbones.

    Args:
        config: the merged config, checked against its schema.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._of_config: Mapping[str, Any] = config.get("backbones", {})

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """Recipes all of whose sets of stills are declared; the others cannot be trained."""
        declared = self._of_config.get("still_sets", {})
        parsed = {name: Recipe.parse(name, self.values(name)) for name in self._named}
        return {n: recipe for n, recipe in parsed.items() if set(recipe.sets) <= set(declared)}

    @property
    def names(self) -> list[str]:
        """Names of all recipes."""
        return list(self._named)

    def require(self, recipe: str) -> Recipe:
        """A recipe that can be trained.

        Raises:
            RequestError: a set of it is not declared; naming the phases that can be trained.
        """
        if recipe not in self.recipes:
            raise RequestError(f"backbones.recipes.{recipe}: {self._describe_lack(recipe)}")
        return self.recipes[recipe]

    def require_any(self) -> list[str]:
        """Names of the recipes that can be trained.

        Raises:
            RequestError: there is none; naming for each what it lacks.
        """
        if not self.recipes:
            raise RequestError(
                "no backbone can be trained:\n  "
                + "\n  ".join(f"{name}: {self._describe_lack(name)}" for name in self._named)
            )
        return list(self.recipes)

    def _describe_lack(self, recipe: str) -> str:
        """Say which sets of a recipe are not declared, and what to write."""
        declared = self._of_config.get("still_sets", {})
        phases = Recipe.parse(recipe, self.values(recipe)).phases
        sets = dict.fromkeys(name for phase in phases for name in phase)
        missing = [name for name in sets if name not in declared]
        said = (
            f"it trains on {', '.join(missing)}, which backbones.still_sets does not declare"
            f"{suggestion(missing[0], [*declared]) if declared else ''}"
        )
        rest = [[name for name in phase if name in declared] for phase in phases]
        if kept := [phase for phase in rest if phase]:
            written = ", ".join(f"[{', '.join(phase)}]" for phase in kept)
            return f"{said}. Declare it, or train without it: phases: [{written}]"
        return f"{said}. Declare it (docs/backbones.md)"

    @cached_property
    def trained(self) -> dict[str, str]:
        """Recipe by feature, of all features of the config that ask for one."""
        return {
            name: recipe
            for name, options in self._config["features"].items()
            if "import" not in options
            and (recipe := recipe_of(options.get("weights", ""))) is not None
        }

    def values(self, recipe: str) -> dict[str, Any]:
        """What decides how a recipe trains, as the config has it."""
        return {k: v for k, v in self._named[recipe].items() if k not in APART}

    def start(self, recipe: str) -> str:
        """Choice of weights that a recipe starts from; ``random:<seed>`` for none."""
        return str(self._named[recipe].get("start", f"{RANDOM}{self.recipes[recipe].seed}"))

    def paper(self, recipe: str) -> dict[str, float]:
        """Published accuracy by set, to put beside ours."""
        return dict(self._named[recipe].get("paper", {}))

    @property
    def from_export(self) -> bool:
        """Whether trained weights are an exported ensemble's, and nothing is trained."""
        return "export" in self._config

    def checkpoint(self, recipe: str) -> Path:
        """Where the trained weights are written, or where an exported ensemble has them."""
        folder = self._config["export" if self.from_export else "results"]
        return Path(folder, FOLDER, f"{recipe}.safetensors")

    def check(self) -> None:
        """Refuse what cannot be trained, before any job.

        Raises:
            RequestError: an unknown recipe, a set that is not declared, a network, or a size of it,
                that is not the feature's.
        """
        if self.from_export:
            return
        declared = self._of_config.get("still_sets", {})
        parsed = {name: Recipe.parse(name, self.values(name)) for name in self._named}
        for name in self._named:
            start = self._named[name].get("start", "")
            if recipe_of(start) is not None:
                raise RequestError(
                    f"config: recipe {name}: start is {start!r}; name a file or published weights"
                )
        for feature, name in self.trained.items():
            where = f"config: features.{feature}.weights: {TRAINED}{name}"
            if name not in parsed:
                raise RequestError(f"{where}: no such recipe{suggestion(name, [*parsed])}")
            recipe = parsed[name]
            if feature not in TRAINABLE:
                raise RequestError(f"{where}: recipes make weights of {', '.join(TRAINABLE)}")
            if recipe.network is not TRAINABLE[feature]:
                raise RequestError(
                    f"{where} trains network: {recipe.network}, not {TRAINABLE[feature]}"
                )
            for key in MATCHED:
                trained = getattr(recipe, key)
                if isinstance(trained, tuple):
                    trained = [*trained]
                extracted = self._config["features"][feature].get(key, trained)
                if extracted != trained:
                    raise RequestError(
                        f"{where} trains {key}: {trained}, the feature has {extracted}"
                    )
            if not set(recipe.sets) <= set(declared):
                raise RequestError(f"{where}: {self._describe_lack(name)}")

    @property
    def _named(self) -> Mapping[str, Mapping[str, Any]]:
        recipes: Mapping[str, Mapping[str, Any]] = self._of_config.get("recipes", {})
        return recipes


def recipe_of(choice: str) -> str | None:
    """Recipe that a choice of weights names, if it names one."""
    return choice.removeprefix(TRAINED) if choice.startswith(TRAINED) else None

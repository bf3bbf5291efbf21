"""What the training of a backbone depends on, by content.

Imported while the workflow is parsed: standard library, yaml and jsonschema only.
"""

from collections.abc import Callable
from typing import Any

from circumplex.config.catalogue import published_problems
from circumplex.config.weights import TRAINED
from circumplex.errors import RequestError
from circumplex.io.digests import MISSING, DigestCache, value_digest
from circumplex.pipeline.backbone_plan import recipe_of
from circumplex.pipeline.plan import Plan


class BackboneIdentities:
    """Identities of the backbones of a run.

    Args:
        plan: the validated request.
        cache: digests of large files.
        weights_of: identity of a choice of weights.
        still_set: tracked parameter of ``list_stills``, by set; raises RequestError where the set
            is not there.
        code: gives the digest of the code that trains.
    """

    def __init__(
        self,
        plan: Plan,
        cache: DigestCache,
        weights_of: Callable[[str], str],
        still_set: Callable[[str], dict[str, Any]],
        code: Callable[[], str],
    ) -> None:
        self._plan, self._cache, self._code = plan, cache, code
        self._weights_of, self._still_set = weights_of, still_set
        # A set may have a million files: it is listed once.
        self._tracked: dict[str, dict[str, Any]] = {}

    def tracked(self, recipe: str) -> dict[str, Any]:
        """Tracked parameter of ``train_backbone``."""
        if recipe not in self._tracked:
            plan = self._plan.backbones
            sets = {}
            for name in plan.recipes[recipe].sets:
                try:
                    sets[name] = self._still_set(name)
                except RequestError:
                    sets[name] = {"input": MISSING}  # told by `problems`
            self._tracked[recipe] = {
                "code": self._code(),
                "options": plan.values(recipe),
                "start": self._weights_of(plan.start(recipe)),
                "sets": sets,
                "paper": plan.paper(recipe),
            }
        return self._tracked[recipe]

    def weights(self, recipe: str) -> str:
        """Identity of weights that this run trains.

        Their content is not known before: what they come from stands for it, and the job that
        extracts takes the content's digest.
        """
        tracked = {key: value for key, value in self.tracked(recipe).items() if key != "paper"}
        return f"{TRAINED}{value_digest(tracked)}"

    def used(self) -> list[str]:
        """Recipes to train, since a feature in use is extracted with their weights."""
        plan = self._plan
        if plan.backbones.from_export:
            return []
        choices = [choice for f in plan.features for choice in plan.weight_choices(f).values()]
        return sorted({recipe for choice in choices if (recipe := recipe_of(choice))})

    def start_files(self, recipe: str) -> list[str]:
        """Checkpoint that a recipe starts from; empty for random weights."""
        path = self._plan.weights_path(self._plan.backbones.start(recipe))
        return [] if path is None else [str(path)]

    def problems(self, recipe: str) -> list[str]:
        """What keeps a recipe from being trained: its sets of stills, or what it starts from."""
        problems = []
        for name in self._plan.backbones.recipes[recipe].sets:
            try:
                self._still_set(name)
            except RequestError as error:
                problems.append(str(error))
        choice = self._plan.backbones.start(recipe)
        if entry := self._plan.published(choice):
            problems += published_problems(entry, self._plan.weights_cache, self._cache.digest)
        elif self._weights_of(choice) == MISSING:
            problems.append(
                f"backbones.recipes.{recipe}.start: {choice} is missing: put the checkpoint there, "
                "name another, or remove start to train from random weights"
            )
        return problems

"""The images that a backbone is trained on and scored by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from circumplex.backbones.model import select_labelled
from circumplex.backbones.stills import Stills, StillSplit, read_stills
from circumplex.config.recipes import Recipe
from circumplex.errors import RequestError


@dataclass(frozen=True)
class Material:
    """What is trained on and scored by, in the order of the recipe's sets.

    Attributes:
        names: names of the sets.
        splits: by split, the labelled images of each set.
    """

    names: tuple[str, ...]
    splits: Mapping[StillSplit, tuple[Stills, ...]]

    @classmethod
    def read(cls, recipe: Recipe, tables: Mapping[str, Path]) -> "Material":
        """Open the tables of the recipe's sets.

        Args:
            recipe: names the sets, and the task whose labels are needed.
            tables: by set, the table of its stills.

        Raises:
            RequestError: a file that is no table of stills, or a set without a labelled training
                image.
        """
        splits = {
            split: tuple(
                select_labelled(recipe, read_stills(tables[s], split)) for s in recipe.sets
            )
            for split in StillSplit
        }
        for name, stills in zip(recipe.sets, splits[StillSplit.TRAIN], strict=True):
            if not len(stills):
                raise RequestError(f"set {name} has no training image with a label for the task")
        return cls(recipe.sets, splits)

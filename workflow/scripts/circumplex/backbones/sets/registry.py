"""Readers of still-image sets by their name in the config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.backbones.sets.affectnet import AffectNet
from circumplex.backbones.sets.base import Folds, HeldOut, StillReader
from circumplex.backbones.sets.bp4d import Bp4d
from circumplex.backbones.sets.disfa import Disfa
from circumplex.backbones.sets.ferplus import FerPlus
from circumplex.backbones.sets.image_table import ImageTable
from circumplex.backbones.sets.rafdb import RafDb
from circumplex.config.still_sets import Coding, Target

READERS: Mapping[str, type[Any]] = {
    "ferplus": FerPlus,
    "rafdb": RafDb,
    "affectnet": AffectNet,
    "bp4d": Bp4d,
    "disfa": Disfa,
    "image_table": ImageTable,
}
TYPES: Mapping[str, Any] = {
    "path": Path,
    "images": Path,
    "target": Target,
    "coding": Coding,
    "folds": lambda values: Folds(**values),
    "held_out": lambda values: HeldOut(**values),
}


def make_reader(kind: str, options: Mapping[str, Any]) -> StillReader:
    """Make the reader of a set.

    Args:
        kind: name of the reader in `READERS`.
        options: options of the reader from the config.
    """
    values = {key: TYPES.get(key, lambda v: v)(value) for key, value in options.items()}
    reader: StillReader = READERS[kind](**values)
    return reader

"""The catalogue of published weights: what to get from whom, for each extractor."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path(__file__).resolve().parents[2] / "weights.yaml"


@cache
def catalogue() -> dict[str, Any]:
    """Entries by extractor: ``address``, ``licence``, ``trained_on``, ``note``."""
    return dict(yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")))


def missing_weights(feature: str, path: str) -> str:
    """Message for weights that are not there: which file, from where, where to put it."""
    entry = catalogue()[feature]
    return (
        f"{feature}: weights {path} are missing. {entry['note']} Address: {entry['address']}. "
        f"Put them at {Path(path).absolute()}, or name another place in features.{feature}.weights;"
        f" to try the pipeline without them, ask by name for a seeded random stand-in: "
        f"features.{feature}.weights: random:0"
    )

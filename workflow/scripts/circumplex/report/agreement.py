"""What the report says of samples with several annotators."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from circumplex.io.parquet import read_metadata
from circumplex.targets import TARGETS

AGREEMENT = "agreement"
"""Key of the labels' metadata; see `circumplex.annotations.labels`."""


def describe_annotators(labels: Path) -> list[str]:
    """Notes on a sample: for each target with several annotators, how far they agree."""
    found: Mapping[str, Mapping[str, Any]] = read_metadata(labels).get(AGREEMENT, {})
    return [
        f"{found[target]['annotators']} annotators of {target}: "
        f"CCC {_number(found[target]['ccc'])}, alpha {_number(found[target]['alpha'])}"
        for target in TARGETS
        if target in found
    ]


def describe_agreement(tables: Iterable[Path]) -> str:
    """A sentence on a corpus; empty where no sample has several annotators.

    Args:
        tables: tables of labels.
    """
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    samples = 0
    for table in tables:
        found: Mapping[str, Mapping[str, Any]] = read_metadata(table).get(AGREEMENT, {})
        samples += bool(found)
        for target, measured in found.items():
            for key in ("ccc", "alpha"):
                if measured[key] is not None:
                    values[target, key].append(measured[key])
    if not samples:
        return ""
    parts = [
        f"{target} CCC {_mean(values[target, 'ccc'])}, alpha {_mean(values[target, 'alpha'])}"
        for target in TARGETS
        if (target, "ccc") in values or (target, "alpha") in values
    ]
    return (
        f"Agreement of annotators, mean over {samples} {'sample' if samples == 1 else 'samples'} "
        f"with several: {'; '.join(parts) or 'not defined'}. CCC is the mean over pairs, alpha is "
        "Cronbach's."
    )


def _mean(values: list[float]) -> str:
    return _number(statistics.fmean(values) if values else None)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")

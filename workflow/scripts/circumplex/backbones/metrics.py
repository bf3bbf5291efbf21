"""Scores of a backbone on a set of still images, from counts that add up over GPUs."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


class Score(Protocol):
    """Counts of a set, and the scores computed from them."""

    @property
    def value(self) -> float:
        """What epochs are chosen by, in [0, 1]; NaN without images."""

    def values(self) -> dict[str, Any]:
        """Everything worth a line in a card, JSON-serialisable."""


@dataclass(frozen=True)
class ExpressionScore:
    """Of expression classes.

    Attributes:
        classes: names.
        counts: (classes, classes) confusion matrix: images by true (row) and predicted class.
    """

    classes: tuple[str, ...]
    counts: Counts

    @property
    def value(self) -> float:
        """Accuracy."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts) / total) if total else float("nan")

    def values(self) -> dict[str, Any]:
        """Accuracy, mean recall of the classes that occur, and the confusion matrix."""
        rows = self.counts.sum(axis=1)
        recall = np.diag(self.counts)[rows > 0] / rows[rows > 0]
        return {
            "images": int(self.counts.sum()),
            "accuracy": json_number(self.value),
            "mean_recall": float(recall.mean()) if len(recall) else None,
            "classes": list(self.classes),
            "confusion": self.counts.tolist(),
        }


@dataclass(frozen=True)
class UnitScore:
    """Of action units.

    Attributes:
        units: numbers.
        counts: (units, 4): true and false positives, false and true negatives of the images in
            which the unit is annotated.
    """

    units: tuple[int, ...]
    counts: Counts

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each unit; NaN where no annotated image shows it."""
        hits, false, missed, _ = self.counts.T
        shown = hits + missed > 0
        return np.where(shown, 2 * hits / np.maximum(2 * hits + false + missed, 1), np.nan)

    @property
    def value(self) -> float:
        """Mean F1 over the units that are shown."""
        shown = self.f1[~np.isnan(self.f1)]
        return float(shown.mean()) if len(shown) else float("nan")

    def values(self) -> dict[str, Any]:
        """Mean F1, and F1, accuracy and counts by unit."""
        total = self.counts.sum(axis=1)
        right = self.counts[:, 0] + self.counts[:, 3]
        return {
            "images": int(total.max(initial=0)),
            "mean_f1": json_number(self.value),
            "units": {
                str(unit): {
                    "f1": json_number(self.f1[k]),
                    "accuracy": float(right[k] / total[k]) if total[k] else None,
                    "annotated": int(total[k]),
                    "shown": int(self.counts[k, 0] + self.counts[k, 2]),
                }
                for k, unit in enumerate(self.units)
            },
        }


def json_number(value: float) -> float | None:
    """The value, or none for NaN, which JSON lacks."""
    return None if np.isnan(value) else float(value)


def confusion(truth: NDArray[np.integer], found: NDArray[np.integer], classes: int) -> Counts:
    """Confusion matrix (classes, classes) of true and predicted classes (images,)."""
    flat = np.bincount(truth.astype(np.int64) * classes + found, minlength=classes * classes)
    return flat.astype(np.int64).reshape(classes, classes)


def unit_counts(truth: NDArray[np.floating], found: NDArray[np.bool_]) -> Counts:
    """Counts (units, 4) as in `UnitScore`.

    Args:
        truth: (images, units) 1 or 0, NaN where not annotated.
        found: (images, units) whether the network detects the unit.
    """
    shown, absent = truth == 1, truth == 0
    parts = (shown & found, absent & found, shown & ~found, absent & ~found)
    return np.stack([part.sum(axis=0) for part in parts], axis=1).astype(np.int64)

"""What the figures of the overview count: frames on grids, and quadrants of the circumplex."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from circumplex.ccc import CccAccumulator
from circumplex.report.summaries import Quadrant
from circumplex.targets import Target

CELLS = 60
"""Cells of a grid along each side, over [-1, 1]."""
QUADRANTS = tuple(Quadrant)


def _grid() -> NDArray[np.int64]:
    return np.zeros((CELLS, CELLS), np.int64)


@dataclass
class Overview:
    """Counts over frames, added up sample by sample, so that memory does not grow with them.

    Attributes:
        moments: by target, for the CCC over all frames.
        agreement: by target, frames by annotated (rows) and predicted value (columns).
        annotated: annotated frames by valence (rows) and arousal (columns).
        predicted: predicted frames by valence (rows) and arousal (columns).
        confusion: (4, 4) frames by annotated (rows) and predicted quadrant (columns), in the
            order of `QUADRANTS`.
        quadrants: (4,) predicted frames by quadrant.
        samples: number of samples.
    """

    moments: dict[Target, CccAccumulator] = field(
        default_factory=lambda: {target: CccAccumulator() for target in Target}
    )
    agreement: dict[Target, NDArray[np.int64]] = field(
        default_factory=lambda: {target: _grid() for target in Target}
    )
    annotated: NDArray[np.int64] = field(default_factory=_grid)
    predicted: NDArray[np.int64] = field(default_factory=_grid)
    confusion: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(QUADRANTS), len(QUADRANTS)), np.int64)
    )
    quadrants: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(QUADRANTS), np.int64))
    samples: int = 0

    def add(self, predicted: NDArray[np.floating], annotated: NDArray[np.floating] | None) -> None:
        """Add a sample.

        Args:
            predicted: (frames, 2) in [-1, 1].
            annotated: (frames, 2), NaN where a target is not annotated; None to count the
                predictions alone. With an annotation, only annotated frames count.
        """
        self.samples += 1
        if annotated is None:
            self._count_predicted(predicted)
            return
        for column, target in enumerate(Target):
            valid = np.isfinite(annotated[:, column])
            wanted, given = annotated[valid, column], predicted[valid, column]
            self.moments[target].update(given, wanted)
            self.agreement[target] += count_cells(wanted, given)
        both = np.isfinite(annotated).all(axis=1)
        wanted, given = annotated[both], predicted[both]
        self.annotated += count_cells(wanted[:, 0], wanted[:, 1])
        self._count_predicted(given)
        pairs = quadrant_numbers(wanted) * len(QUADRANTS) + quadrant_numbers(given)
        counts = np.bincount(pairs, minlength=self.confusion.size)
        self.confusion += counts.reshape(self.confusion.shape)

    def _count_predicted(self, values: NDArray[np.floating]) -> None:
        self.predicted += count_cells(values[:, 0], values[:, 1])
        self.quadrants += np.bincount(quadrant_numbers(values), minlength=len(QUADRANTS))

    def plus(self, other: "Overview") -> "Overview":
        """Counts of both."""
        return Overview(
            {t: CccAccumulator().merge(self.moments[t]).merge(other.moments[t]) for t in Target},
            {t: self.agreement[t] + other.agreement[t] for t in Target},
            self.annotated + other.annotated,
            self.predicted + other.predicted,
            self.confusion + other.confusion,
            self.quadrants + other.quadrants,
            self.samples + other.samples,
        )

    def ccc(self, target: Target) -> float | None:
        """CCC of a target over all frames; None if no frame is annotated."""
        moments = self.moments[target]
        return moments.ccc() if moments.count else None


def count_cells(across: NDArray[np.floating], up: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count pairs of values in [-1, 1] on a grid of `CELLS` by `CELLS`."""
    counts, _, _ = np.histogram2d(across, up, bins=CELLS, range=[[-1, 1], [-1, 1]])
    return np.asarray(counts, np.int64)


def quadrant_numbers(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Number of each frame's quadrant in `QUADRANTS`; zero counts as positive and as active.

    Args:
        values: (frames, 2) valence and arousal.
    """
    positive, active = (values >= 0).T
    return np.where(active, np.where(positive, 0, 1), np.where(positive, 3, 2)).astype(np.int64)

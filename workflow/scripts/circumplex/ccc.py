"""The concordance correlation coefficient over all valid frames of a split (section 4.1)."""

import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

_RELATIVE_ZERO = 1e-12
"""Deviations below this part of the values' size are rounding: the values are constant."""


class CccAccumulator:
    """CCC over the concatenation of pieces that are seen one after another.

    Holds six numbers: count, means, and central second moments, merged piece by piece (Chan,
    Golub and LeVeque 1979), so that neither many frames nor a large mean cost precision.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean_x = self._mean_y = 0.0
        self._xx = self._yy = self._xy = 0.0

    def update(self, x: ArrayLike, y: ArrayLike, valid: NDArray[np.bool_] | None = None) -> Self:
        """Add frames.

        Args:
            x: (frames,) predictions.
            y: (frames,) annotation.
            valid: (frames,) which frames count; all by default.

        Raises:
            ValueError: unequal lengths, or a valid frame that is not finite.
        """
        a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if a.shape != b.shape or a.ndim != 1:
            raise ValueError(f"expected two vectors of one length, got {a.shape} and {b.shape}")
        if valid is not None:
            a, b = a[valid], b[valid]
        if len(a) == 0:
            return self
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise ValueError("a valid frame is not finite")
        piece = CccAccumulator()
        piece.count = len(a)
        piece._mean_x, piece._mean_y = float(a.mean()), float(b.mean())
        a, b = a - piece._mean_x, b - piece._mean_y
        piece._xx, piece._yy, piece._xy = float(a @ a), float(b @ b), float(a @ b)
        return self.merge(piece)

    def merge(self, other: "CccAccumulator") -> Self:
        """Add the frames that another accumulator has seen."""
        total = self.count + other.count
        if other.count == 0:
            return self
        dx, dy = other._mean_x - self._mean_x, other._mean_y - self._mean_y
        weight = self.count * other.count / total
        self._xx += other._xx + dx * dx * weight
        self._yy += other._yy + dy * dy * weight
        self._xy += other._xy + dx * dy * weight
        self._mean_x += dx * other.count / total
        self._mean_y += dy * other.count / total
        self.count = total
        return self

    def ccc(self) -> float:
        """CCC in [-1, 1] with population moments; see `ccc` for constants.

        Raises:
            ValueError: no valid frame was seen.
        """
        if self.count == 0:
            raise ValueError("no valid frame: CCC is not defined")
        difference = self._mean_x - self._mean_y
        denominator = (self._xx + self._yy) / self.count + difference * difference
        size = max(abs(self._mean_x), abs(self._mean_y))
        if math.sqrt(denominator) <= _RELATIVE_ZERO * size:
            return 0.0
        return 2 * (self._xy / self.count) / denominator if denominator > 0 else 0.0


def find_annotated(annotation: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Find what is annotated: of a frame both targets, one or none.

    Args:
        annotation: (frames, 2), NaN where a target is not annotated.

    Returns:
        (frames, 2) true where a frame is annotated for a target.
    """
    return np.asarray(~np.isnan(annotation))


def ccc(x: ArrayLike, y: ArrayLike) -> float:
    """Concordance correlation coefficient of two vectors (Lin 1989), population moments.

    2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2). A constant predicts nothing: where x
    or y is constant, and where both are (even if equal, 0/0), the value is 0, never NaN.

    Returns:
        a value in [-1, 1].

    Raises:
        ValueError: no frame, unequal lengths, or a value that is not finite.
    """
    return CccAccumulator().update(x, y).ccc()

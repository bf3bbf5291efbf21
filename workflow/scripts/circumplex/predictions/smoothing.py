"""Post-process predictions: clip to [-1, 1] and smooth over time (section 3.5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from circumplex.ccc import CccAccumulator, find_annotated
from circumplex.config.smoothing import Convention
from circumplex.errors import RequestError
from circumplex.targets import Target


@dataclass(frozen=True)
class SmoothingSpec:
    """Options of the smoothing.

    Attributes:
        convention: order and reach of the smoothing.
        valence: window w of valence in frames; 0 disables smoothing. The paper has 20, the
            published code 50.
        arousal: window w of arousal in frames; the paper has 50, the published code 20.
    """

    convention: Convention = Convention.PAPER
    valence: int = 20
    arousal: int = 50

    def __post_init__(self) -> None:
        if min(self.valence, self.arousal) < 0:
            raise RequestError("smoothing windows must be numbers of frames, 0 or more")

    def with_windows(self, windows: Mapping[str, int]) -> "SmoothingSpec":
        """Copy with other windows for some targets, in frames by name of the target."""
        valence, arousal = (windows.get(t, w) for t, w in zip(Target, self.windows, strict=True))
        return replace(self, valence=valence, arousal=arousal)

    @property
    def windows(self) -> tuple[int, int]:
        """Windows of valence and arousal in frames."""
        return self.valence, self.arousal

    def reach(self, window: int) -> int:
        """Number of frames on either side that a window averages."""
        return (window + 1) // 2 if self.convention is Convention.PAPER else window


def moving_mean(values: NDArray[np.floating], reach: int) -> NDArray[np.float64]:
    """Mean over frames j - reach to j + reach, truncated at the ends; linear in the frames.

    Args:
        values: (frames,) finite values.
        reach: number of frames on either side; 0 changes nothing.
    """
    frames = len(values)
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    index = np.arange(frames)
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, frames)
    return np.asarray((total[high] - total[low]) / (high - low))


@dataclass(frozen=True)
class WindowSearch:
    """Result of a search over smoothing windows.

    Attributes:
        spec: options with the best windows.
        scores: CCC by target and window, on the searched samples.
        samples: annotated validation samples of the model, on which windows were compared.
    """

    spec: SmoothingSpec
    scores: Mapping[str, Mapping[int, float]]
    samples: tuple[str, ...]


def search_windows(
    spec: SmoothingSpec,
    candidates: Mapping[str, Sequence[int]],
    held_out: Iterable[tuple[str, NDArray[np.floating], NDArray[np.floating]]],
) -> WindowSearch:
    """Choose each target's window by CCC; on a tie, the first of the candidates.

    Args:
        spec: convention, and the windows of targets that have no candidates.
        candidates: windows to compare, in frames by target.
        held_out: for each sample its name, raw predictions (frames, 2) and annotation (frames, 2);
            without any annotated frame, the windows stay those of ``spec``.
    """
    moments = {t: {w: CccAccumulator() for w in windows} for t, windows in candidates.items()}
    samples = []
    for sample, predictions, annotation in held_out:
        valid = find_annotated(annotation)
        if valid.any():
            samples.append(sample)
        for column, target in enumerate(Target):
            for window, of in moments.get(target, {}).items():
                smoothed = smooth(predictions, spec.with_windows({target.value: window}))
                of.update(smoothed[:, column], annotation[:, column], valid[:, column])
    scores = {
        target: {window: of.ccc() for window, of in by_window.items() if of.count}
        for target, by_window in moments.items()
    }
    best = {t: max(by, key=lambda window: by[window]) for t, by in scores.items() if by}
    return WindowSearch(spec.with_windows(best), scores, tuple(samples))


def smooth(predictions: NDArray[np.floating], spec: SmoothingSpec) -> NDArray[np.float32]:
    """Post-process the predictions of one sample.

    Args:
        predictions: (frames, 2) valence and arousal.
        spec: convention and windows.

    Returns:
        Smoothed predictions, (frames, 2) in [-1, 1].

    Raises:
        ValueError: a prediction is not finite.
    """
    if not np.isfinite(predictions).all():
        raise ValueError("a prediction is not finite")
    values = predictions.astype(np.float64)
    if spec.convention is Convention.PAPER:
        values = values.clip(-1, 1)
    for column, window in enumerate(spec.windows):
        if window:
            values[:, column] = moving_mean(values[:, column], spec.reach(window))
    return values.clip(-1, 1).astype(np.float32)

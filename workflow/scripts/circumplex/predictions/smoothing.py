"""Post-processing of predictions: clip to [-1, 1] and smooth over time (section 3.5)."""

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
    """How predictions are smoothed.

    Attributes:
        convention: see `Convention`.
        valence: window w in frames; 0 means none. The paper has 20, the published code 50.
        arousal: the same; the paper has 50, the published code 20.
    """

    convention: Convention = Convention.PAPER
    valence: int = 20
    arousal: int = 50

    def __post_init__(self) -> None:
        if min(self.valence, self.arousal) < 0:
            raise RequestError("smoothing windows are numbers of frames, 0 or more")

    def with_windows(self, windows: Mapping[str, int]) -> "SmoothingSpec":
        """With other windows for the targets named."""
        valence, arousal = (windows.get(t, w) for t, w in zip(Target, self.windows, strict=True))
        return replace(self, valence=valence, arousal=arousal)

    @property
    def windows(self) -> tuple[int, int]:
        """Of valence and arousal."""
        return self.valence, self.arousal

    def reach(self, window: int) -> int:
        """Frames on either side that enter the mean."""
        return (window + 1) // 2 if self.convention is Convention.PAPER else window


def moving_mean(values: NDArray[np.floating], reach: int) -> NDArray[np.float64]:
    """Mean over {j - reach ... j + reach}, cut at the ends, in time linear in the frames.

    Args:
        values: (frames,) finite.
        reach: frames on either side; 0 changes nothing.
    """
    frames = len(values)
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    index = np.arange(frames)
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, frames)
    return np.asarray((total[high] - total[low]) / (high - low))


@dataclass(frozen=True)
class WindowSearch:
    """What a search over windows came to.

    Attributes:
        spec: the convention with the best windows.
        scores: CCC by target and window, on the samples searched.
        samples: that were searched: of the model's validation.
    """

    spec: SmoothingSpec
    scores: Mapping[str, Mapping[int, float]]
    samples: tuple[str, ...]


def search_windows(
    spec: SmoothingSpec,
    candidates: Mapping[str, Sequence[int]],
    held_out: Iterable[tuple[str, NDArray[np.floating], NDArray[np.floating]]],
) -> WindowSearch:
    """Choose each target's window by CCC; of equal ones the first named.

    Args:
        spec: convention, and the windows of targets that have no candidates.
        candidates: windows by target.
        held_out: name, raw predictions and annotation of a sample, both (frames, 2), at a time;
            without any annotated frame the windows stay the spec's.
    """
    moments = {t: {w: CccAccumulator() for w in windows} for t, windows in candidates.items()}
    samples = []
    for sample, predictions, annotation in held_out:
        valid = find_annotated(annotation)
        if valid.any():
            samples.append(sample)
        for column, target in enumerate(Target):
            for window, of in moments.get(target, {}).items():
                tried = smooth(predictions, spec.with_windows({target.value: window}))
                of.update(tried[:, column], annotation[:, column], valid)
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
        (frames, 2) in [-1, 1].

    Raises:
        ValueError: a prediction that is not finite.
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

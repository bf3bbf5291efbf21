"""Ensembles: the mean over models, chosen apart for valence and for arousal (section 3.5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import RequestError
from circumplex.metrics import Target


@dataclass(frozen=True)
class EnsembleSpec:
    """Members of an ensemble, by name.

    Attributes:
        valence: models whose valence is averaged.
        arousal: models whose arousal is averaged.
    """

    valence: tuple[str, ...]
    arousal: tuple[str, ...]

    def __post_init__(self) -> None:
        for target in Target:
            chosen = self.members(target)
            if not chosen:
                raise RequestError(f"the ensemble has no member for {target}")
            if len(set(chosen)) < len(chosen):
                raise RequestError(f"the ensemble names a member twice for {target}")

    def members(self, target: Target) -> tuple[str, ...]:
        """Models that are averaged for a target."""
        return self.valence if target is Target.VALENCE else self.arousal

    def models(self) -> list[str]:
        """Every model that takes part, once."""
        return list(dict.fromkeys((*self.valence, *self.arousal)))


def mean_prediction(arrays: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Mean of arrays of one shape.

    Raises:
        ValueError: no array, or unequal shapes.
    """
    if len({array.shape for array in arrays}) != 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"predictions to average must have one shape, got {shapes or 'none'}")
    total = np.zeros(arrays[0].shape, dtype=np.float64)
    for array in arrays:
        total += array
    return (total / len(arrays)).astype(np.float32)


def ensemble(
    spec: EnsembleSpec, predictions: Mapping[str, NDArray[np.floating]]
) -> NDArray[np.float32]:
    """Ensemble of one sample.

    Args:
        spec: members for each target.
        predictions: by model, (frames, 2).

    Returns:
        (frames, 2).

    Raises:
        ValueError: a member that has no prediction, or one of another length.
    """
    absent = [model for model in spec.models() if model not in predictions]
    if absent:
        raise ValueError(f"no prediction of {', '.join(absent)}")
    columns = [
        mean_prediction([predictions[model][:, column] for model in spec.members(target)])
        for column, target in enumerate(Target)
    ]
    return np.stack(columns, axis=1)

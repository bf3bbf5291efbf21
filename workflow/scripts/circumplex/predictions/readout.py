"""Pretrained models: valence and arousal as weighted sums of a feature's named values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circumplex.targets import Target


def read_out(
    values: NDArray[np.floating], columns: Sequence[str], readout: Mapping[str, Mapping[str, Any]]
) -> NDArray[np.float32]:
    """Predict valence and arousal from a feature.

    Args:
        values: (frames, columns) values of the feature.
        columns: names of the values.
        readout: by target, ``coefficients`` by column and an ``intercept``.

    Returns:
        (frames, 2) float32 valence and arousal, not clipped.

    Raises:
        ValueError: the feature has another number of values, or one that is not finite.
    """
    if values.shape[1] != len(columns):
        raise ValueError(f"the feature has {values.shape[1]} values, named are {len(columns)}")
    if not np.isfinite(values).all():
        frame = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise ValueError(f"the feature of frame {frame} is not finite")
    coefficients = [
        [readout[target]["coefficients"].get(column, 0.0) for target in Target]
        for column in columns
    ]
    intercepts = [readout[target]["intercept"] for target in Target]
    predictions = values.astype(np.float64) @ np.asarray(coefficients, np.float64) + intercepts
    return np.asarray(predictions, np.float32)

"""The two targets, valence and arousal, and which frames are annotated."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Target(StrEnum):
    """What is predicted, in the order of the columns of every (frames, 2) array."""

    VALENCE = "valence"
    AROUSAL = "arousal"


def annotated(annotation: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(frames,) which frames of (frames, 2) annotation count: those with no NaN in either."""
    return np.asarray(~np.isnan(annotation).any(axis=1))

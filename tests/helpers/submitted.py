"""Submission files, as tests read them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_submission(path: Path) -> NDArray[np.float64]:
    """Values of one text, (frames, 2)."""
    return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2).reshape(-1, 2)

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from circumplex.features.imports.files import import_features
from circumplex.io.parquet import read_columns
from circumplex.media.resampling import resample_timeline
from circumplex.media.timeline import write_timeline

Take = Callable[..., NDArray[np.float32]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for files of a user's own."""
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Import the feature ``gaze`` of a sample and return its values, (frames, dimension)."""

    def take(
        root: Path,
        frames: int,
        dimension: int = 3,
        sample: str = "s",
        regular: float | None = None,
    ) -> NDArray[np.float32]:
        timeline, output = tmp_path / "timeline.parquet", tmp_path / "out.parquet"
        write_timeline(frames, timeline, fps=25.0, metadata={})
        if regular is not None:
            native, timeline = timeline, tmp_path / "regular.parquet"
            resample_timeline(native, timeline, {}, rate=regular)
        import_features(
            root, "gaze", sample, timeline, output, dimension=dimension, metadata={"stage": "x"}
        )
        (values,) = read_columns(output, ["gaze"])
        return values

    return take

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from circumplex.features.imports.files import import_features
from circumplex.io.parquet import TableWriter, frame_schema, read_columns

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
        root: Path, frames: int, dimension: int = 3, sample: str = "s", rate: float = 25.0
    ) -> NDArray[np.float32]:
        timeline, output = tmp_path / "timeline.parquet", tmp_path / "out.parquet"
        with TableWriter(timeline, frame_schema(), {}) as table:
            table.write(frame=np.arange(frames), time_s=np.arange(frames) / rate)
        import_features(
            root, "gaze", sample, timeline, output, dimension=dimension, metadata={"stage": "x"}
        )
        (values,) = read_columns(output, ["gaze"])
        return values

    return take

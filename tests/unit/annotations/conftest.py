"""What the tests of annotations share: labels of a short video from texts."""

import numpy as np
import pytest

from circumplex.annotations.labels import Annotations, read_labels
from circumplex.annotations.recognition import recognise
from circumplex.errors import SampleError
from circumplex.io.parquet import TableWriter, frame_schema, read_columns, read_metadata

RATE = 25


class Reading:
    """Labels of a video of some frames at 25 per second."""

    def __init__(self, folder, frames=51):
        self.folder = folder
        self.timeline = folder / "timeline.parquet"
        with TableWriter(self.timeline, frame_schema(), {}) as table:
            table.write(frame=np.arange(frames), time_s=np.arange(frames) / RATE)

    def write(self, name, content):
        """Write a file; returns its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def __call__(self, both=None, *, valence=None, arousal=None, layout=None, **options):
        """Values (frames, 2) and metadata."""
        output = self.folder / "labels.parquet"
        output.unlink(missing_ok=True)
        files = Annotations(both, valence, arousal)
        layout = layout or recognise(files.given()[0][1])
        options = {"max_difference": 30, "max_difference_share": 0.02, **options}
        try:
            read_labels(files, self.timeline, output, metadata={}, layout=layout, **options)
        except SampleError:
            assert not output.exists()
            raise
        columns = read_columns(output, ["valence", "arousal", "annotated"])
        values = np.stack(columns[:2], axis=1)
        np.testing.assert_array_equal(columns[2], ~np.isnan(values).all(axis=1))
        return values, read_metadata(output)


@pytest.fixture
def labels(tmp_path):
    """Read annotations of a video of 51 frames, 2 seconds from the first to the last."""
    return Reading(tmp_path)

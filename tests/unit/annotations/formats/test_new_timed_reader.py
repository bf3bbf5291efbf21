"""A reader of a layout with times is one module too, chosen by the sheet's name for it."""

import importlib
import sys

import numpy as np
import pytest

from circumplex.annotations import formats

READER = '''
import numpy as np

from circumplex.annotations.traces import Trace, check_times
from circumplex.targets import Target


def read_traces(annotation, target, options):
    """Rows of minutes, valence and arousal in percent, separated by spaces."""
    rows = np.loadtxt(annotation, ndmin=2)
    check_times(annotation, 60 * rows[:, 0], range(1, len(rows) + 1))
    return [
        Trace(of, "", 60 * rows[:, 0], rows[:, 1 + column], range=(-100.0, 100.0))
        for column, of in enumerate(Target)
    ]
'''


@pytest.fixture
def minutes(tmp_path, monkeypatch):
    """The layout ``minutes``, in a folder of its own on the package's path."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "minutes.py").write_text(READER)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(folder)])
    importlib.invalidate_caches()
    yield "minutes"
    sys.modules.pop(f"{formats.__name__}.minutes", None)


def test_its_traces_come_onto_the_frames(labels, minutes):
    path = labels.write("a.txt", "0 0 100\n0.02 60 -100\n0.05 60 -100\n")
    values, _ = labels(path, layout=minutes)
    times = np.arange(51) / 25
    expected = np.stack(
        [np.interp(times, [0, 1.2, 3], [0, 0.6, 0.6]), np.interp(times, [0, 1.2, 3], [1, -1, -1])],
        axis=1,
    )
    np.testing.assert_allclose(values, expected, atol=1e-6)

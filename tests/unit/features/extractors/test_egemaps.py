import warnings
from pathlib import Path

import numpy as np
import opensmile

from circumplex.features.extractors import (
    egemaps,
)
from waves import join, sound, write_wave


def smile_directly(path: Path, feature_set: str, level: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return opensmile.Smile(feature_set, level).process_file(str(path))


def test_egemaps_equals_opensmile_called_directly(tmp_path) -> None:
    path = write_wave(tmp_path / "a [b]; 'c'.wav", sound(20))  # more than its ring buffers hold
    extractor = egemaps.build({})
    rows = join(extractor.rows(path))
    frame = smile_directly(path, "eGeMAPSv01b", "lld")
    assert extractor.dimension == 23
    assert list(extractor.columns) == list(frame.columns)
    assert np.array_equal(rows.values, frame.to_numpy())
    assert rows.values.std(0).min() > 0

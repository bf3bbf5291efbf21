import warnings
from pathlib import Path

import numpy as np
import opensmile

from circumplex.features.extractors import (
    compare,
)
from waves import join, sound, write_wave


def smile_directly(path: Path, feature_set: str, level: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return opensmile.Smile(feature_set, level).process_file(str(path))


def test_compare_equals_opensmile_called_directly(tmp_path) -> None:
    path = write_wave(tmp_path / "a.wav", sound(20))
    extractor = compare.build({})
    rows = join(extractor.rows(path))
    values = smile_directly(path, "ComParE_2016", "lld")
    deltas = smile_directly(path, "ComParE_2016", "lld_de")
    assert extractor.dimension == 130
    assert list(extractor.columns) == [*values.columns, *deltas.columns]
    assert len(rows.values) == len(values) < len(deltas)
    assert np.array_equal(rows.values[:, :65], values.to_numpy())
    assert np.array_equal(rows.values[:, 65:], deltas.to_numpy()[: len(values)])


def test_deltas_of_compare_belong_to_the_descriptors_of_their_row(tmp_path) -> None:
    rows = join(compare.build({}).rows(write_wave(tmp_path / "a.wav", sound(3)))).values
    centre = np.arange(2, len(rows) - 2)
    descriptors, deltas = rows[:, 6:65].astype(float), rows[:, 71:]
    slopes = sum(k * (descriptors[centre + k] - descriptors[centre - k]) for k in (1, 2)) / 10
    error = np.abs(deltas[centre] - slopes).max(0) / np.abs(slopes).max(0)
    assert error.max() < 1e-3

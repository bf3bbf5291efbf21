import numpy as np
import pytest

from circumplex.features.extractors import (
    compare,
    egemaps,
)
from waves import RATE, join, sound, write_wave


def test_a_click_is_at_the_centre_of_its_row(tmp_path) -> None:
    samples = np.random.default_rng(0).normal(0, 3, 2 * RATE)
    samples[RATE - 8 : RATE + 8] += 16000  # at 1 s
    path = write_wave(tmp_path / "a.wav", samples)
    for extractor, name in (
        (egemaps.build({}), "Loudness_sma3"),
        (compare.build({}), "pcm_RMSenergy_sma"),
    ):
        rows = join(extractor.rows(path))
        centre = (rows.start_s + rows.end_s) / 2
        level = rows.values[:, extractor.columns.index(name)].astype(float)
        level -= np.median(level)
        level[np.abs(centre - 1) > 0.1] = 0
        assert np.sum(centre * level) / np.sum(level) == pytest.approx(1, abs=0.006)


def test_descriptors_of_long_sound_come_in_pieces(tmp_path) -> None:
    path = write_wave(tmp_path / "a.wav", np.tile(sound(13), 5))
    pieces = [len(rows.values) for rows in egemaps.build({}).rows(path)]
    assert pieces == [6000, 496]

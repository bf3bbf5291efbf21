import wave

import numpy as np
import pytest
from scipy.fft import dct

from circumplex.errors import ModalityAbsent, RequestError
from circumplex.features.extractors import mfcc

RATE = 16_000


def sound(seconds, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * np.cumsum(150 + 60 * np.sin(3 * time)) / RATE)
    return np.int16(6000 * tone + 300 * rng.normal(size=len(time)) + 200)


def write_wave(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", None))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def values_of(extractor, path):
    rows = list(extractor.rows(path))
    return np.concatenate([piece.values for piece in rows])


# MFCC


def test_mfcc_by_numpy(tmp_path):
    samples = sound(0.3)
    rows = next(iter(mfcc.build({"dimension": 13}).rows(write_wave(tmp_path / "a.wav", samples))))
    hann = np.sin(np.pi * np.arange(400) / 400) ** 2
    frames = np.stack([samples[k * 160 : k * 160 + 400] / 32768 * hann for k in range(28)])
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 66)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = np.linspace(0, 8000, 257)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    energies = power @ np.clip(np.minimum(rising, falling), 0, None).T
    expected = dct(np.log(energies + 1e-6), norm="ortho")[:, :13]
    np.testing.assert_allclose(rows.values, expected, rtol=1e-3, atol=1e-3)
    assert rows.start_s == pytest.approx(np.arange(28) * 0.01)
    assert rows.end_s == pytest.approx(np.arange(28) * 0.01 + 0.025)


def test_mfcc_of_long_sound_comes_in_pieces_of_the_same_values(tmp_path, monkeypatch):
    path = write_wave(tmp_path / "a.wav", sound(1.234))
    extractor = mfcc.build({})
    whole = values_of(extractor, path)
    monkeypatch.setattr(mfcc, "ROWS_AT_ONCE", 50)
    assert [len(piece.values) for piece in extractor.rows(path)] == [50, 50, 21]
    np.testing.assert_allclose(values_of(extractor, path), whole, atol=1e-4)
    assert extractor.columns[:2] == ("mfcc0", "mfcc1")


@pytest.mark.parametrize("samples", [1, 399, 400, 559, 560])
def test_mfcc_of_short_and_silent_sound(tmp_path, samples):
    values = values_of(mfcc.build({}), write_wave(tmp_path / "a.wav", np.zeros(samples)))
    assert values.shape == (2 if samples == 560 else 1, 20)
    assert np.isfinite(values).all()


def test_mfcc_refuses(tmp_path):
    with pytest.raises(
        RequestError, match=r"mfcc.dimension is 65: must be an integer from 1 to 64"
    ):
        mfcc.build({"dimension": 65})
    with pytest.raises(ModalityAbsent):
        values_of(mfcc.build({}), write_wave(tmp_path / "a.wav", np.zeros(0)))

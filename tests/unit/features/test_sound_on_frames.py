"""From a film to features on its frames, with sound whose place is known (docs/alignment.md)."""

import wave
from fractions import Fraction
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from circumplex.config.features import FEATURES
from circumplex.faces.fill import NoValid, Rule, fill_frames
from circumplex.features.extractors import compare, egemaps, vggish, wav2vec2
from circumplex.features.framing import frame_edges
from circumplex.features.packs import aligned_blocks
from circumplex.features.sound import extract_audio_feature
from circumplex.io.parquet import TableWriter, frame_schema, read_columns
from circumplex.media.sound import extract_audio
from circumplex.media.timeline import extract_frames
from clips import CLICK_S, Sound, write_video
from pictures import iter_frames

pytestmark = pytest.mark.slow
RATES = {
    "15": Fraction(15),
    "23.976": Fraction(24000, 1001),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "60": Fraction(60),
    "variable": None,
}
SECONDS = 4.0
RANDOM = {"weights": "random:1"}


def stamps_of(rate):
    """Presentation stamps of a film of 4 s, and the length of their unit."""
    if rate is not None:
        return list(range(round(SECONDS * rate))), 1 / rate
    steps = np.random.default_rng(5).integers(17, 120, 200)  # ms: 8 to 59 frames/s
    stamps = np.concatenate([[0], np.cumsum(steps)])
    return stamps[stamps < SECONDS * 1000].tolist(), Fraction(1, 1000)


class Film:
    """A film with clicks in the middle of known frames, which are white."""

    def __init__(self, folder, rate) -> None:
        stamps, tick = stamps_of(rate)
        edges = frame_edges(np.array([float(stamp * tick) for stamp in stamps]))
        self.frame = int(np.searchsorted(edges, 2.1))
        self.click_s = float((edges[self.frame] + edges[self.frame + 1]) / 2)
        media = write_video(
            folder / "film.mov",
            stamps=stamps,
            tick=tick,
            picture=self._picture,
            sound=Sound("pcm_s16le", 48_000),
            clicks_s=[self.click_s - CLICK_S / 2],
        )
        self.folder = folder
        self.timeline = folder / "timeline.parquet"
        extract_frames(media, self.timeline, {})
        self.sound = folder / "sound.wav"
        extract_audio(media, self.sound, clock=self.timeline)
        (self.time_s,) = read_columns(self.timeline, ["time_s"])
        assert self.time_s == pytest.approx(edges[:-1], abs=1e-3)
        self.middles = (frame_edges(self.time_s)[:-1] + frame_edges(self.time_s)[1:]) / 2
        self.white = [k for k, f in enumerate(iter_frames(media)) if f.image.mean() > 150]

    def _picture(self, height, width, number):
        return np.full((height, width, 3), 235 if number == self.frame else 20, np.uint8)

    def features(self, extractor):
        """Rows at the extractor's own rate (middles, values), and values by frame."""
        name = extractor.name
        table = self.folder / f"{name}.parquet"
        extract_audio_feature(self.sound, table, extractor, {})
        start_s, end_s, rows = read_columns(table, ["start_s", "end_s", name])
        framing = FEATURES[name].framing
        frames = np.concatenate(list(aligned_blocks(table, name, self.time_s, framing)))
        assert frames.shape == (len(self.time_s), FEATURES[name].dimension)
        return (start_s + end_s) / 2, rows.astype(float), frames.astype(float)


@pytest.fixture(scope="module", params=RATES)
def film(request, tmp_path_factory):
    return Film(tmp_path_factory.mktemp("film"), RATES[request.param])


def centre_of(weights, times):
    """Where a bump lies in time, by its centre of gravity over what stands out."""
    level = np.abs(weights - np.median(weights))
    level = np.where(level > 0.2 * level.max(), level, 0)
    return float(np.sum(level * times) / np.sum(level))


def test_the_white_frame_is_the_one_that_is_heard(film):
    assert film.white == [film.frame]


@pytest.mark.parametrize(
    ("module", "column"), [(egemaps, "Loudness_sma3"), (compare, "pcm_RMSenergy_sma")]
)
def test_descriptors_put_a_click_on_its_frame(film, module, column):
    extractor = module.build({})
    middles, rows, frames = film.features(extractor)
    place = extractor.columns.index(column)
    assert centre_of(rows[:, place], middles) == pytest.approx(film.click_s, abs=0.006)
    assert centre_of(frames[:, place], film.middles) == pytest.approx(film.click_s, abs=0.008)
    assert abs(int(frames[:, place].argmax()) - film.frame) <= (np.diff(film.time_s).min() < 0.03)


def test_wav2vec2_puts_a_click_on_its_frame(film):
    middles, rows, frames = film.features(wav2vec2.build({**RANDOM, "size": "small"}))

    def away(values):
        return np.linalg.norm(values - np.median(values, axis=0), axis=1)

    assert middles[int(away(rows).argmax())] == pytest.approx(film.click_s, abs=0.0225)
    strongest = int(away(frames).argmax())
    reach = 0.0225 + np.diff(film.time_s)[strongest] / 2
    assert film.middles[strongest] == pytest.approx(film.click_s, abs=reach)


@cache  # its random weights take seconds to draw
def vggish_of(hop_s):
    return vggish.build({**RANDOM, "hop_s": hop_s, "batch_size": 4})


@pytest.mark.parametrize("hop_s", [0.96, 0.2])
def test_vggish_puts_a_click_on_the_frames_of_the_examples_that_hold_it(film, hop_s):
    extractor = vggish_of(hop_s)
    middles, rows, frames = film.features(extractor)
    assert middles == pytest.approx(np.arange(len(rows)) * hop_s + 0.48)
    silent = rows[0]
    holding = np.abs(rows - silent).max(axis=1) > 1e-3
    inside = np.abs(middles - film.click_s) < 0.48 - CLICK_S
    outside = np.abs(middles - film.click_s) > 0.48 + 0.015 + CLICK_S  # 25 ms windows reach on
    assert holding[inside].all()
    assert inside.any()
    assert not holding[outside].any()
    for middle, values in zip(film.middles, frames, strict=True):
        nearest = min(range(len(middles)), key=lambda k: abs(middles[k] - middle))
        assert np.array_equal(values, rows[nearest])
        if abs(middle - film.click_s) > 0.96 + hop_s:
            assert np.abs(values - silent).max() < 1e-3


def test_a_frame_without_a_face_takes_the_nearest_by_number(film):
    valid = np.zeros(len(film.time_s), bool)
    found = [film.frame - 7, film.frame, film.frame + 4]
    valid[found] = True
    schema = frame_schema(pa.field("valid", pa.bool_()))
    with TableWriter(film.folder / "faces.parquet", schema, {}) as table:
        table.write(frame=np.arange(len(valid)), time_s=film.time_s, valid=valid)
    output = film.folder / "fill.parquet"
    fill_frames(film.folder / "faces.parquet", output, Rule(NoValid.FAIL), {})
    frame, time_s, source = read_columns(output, ["frame", "time_s", "source_frame"])
    assert np.array_equal(time_s, film.time_s)
    for k, s in zip(frame, source, strict=True):
        assert s == min(found, key=lambda f: (abs(f - k), f))


# A tone whose pitch swings: where its frequency is known, so is the time that a value speaks of.


def swing(time):
    """Frequency of the tone in Hz."""
    return 220 * 2 ** (0.6 * np.sin(2 * np.pi * 0.7 * time))


@pytest.fixture(scope="module")
def swinging(tmp_path_factory):
    """A voice-like tone of 6 s, frequency `swing`, 16 kHz."""
    time = np.arange(6 * 16_000) / 16_000
    phase = 2 * np.pi * np.cumsum(swing(time)) / 16_000
    tone = sum(np.sin(k * phase) / k for k in range(1, 9))
    path = tmp_path_factory.mktemp("swing") / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((tone * 6000).astype("<i2").tobytes())
    return path


def delay_of(values, middles):
    """How much later than a frame's middle the sound lies that its value follows, in seconds."""
    delays = np.arange(-0.08, 0.0805, 0.001)
    fits = [np.corrcoef(values, swing(middles + delay))[0, 1] for delay in delays]
    assert max(fits) > 0.95
    return delays[int(np.argmax(fits))]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    ("module", "column", "delay_s"),
    [
        (egemaps, "F0semitoneFrom27.5Hz_sma3nz", 0.02),  # a window of 60 ms from the row's start
        (compare, "F0final_sma", 0.02),
        (compare, "pcm_fftMag_spectralCentroid_sma", 0.0),
    ],
)
def test_descriptors_follow_a_swinging_tone(swinging, tmp_path, rate, module, column, delay_s):
    stamps, tick = stamps_of(RATES[rate])
    time_s = np.array([float(stamp * tick) for stamp in stamps])
    extractor = module.build({})
    extract_audio_feature(swinging, tmp_path / "a.parquet", extractor, {})
    framing = FEATURES[extractor.name].framing
    blocks = aligned_blocks(tmp_path / "a.parquet", extractor.name, time_s, framing)
    values = np.concatenate(list(blocks))[:, extractor.columns.index(column)].astype(float)
    edges = frame_edges(time_s)
    middles = (edges[:-1] + edges[1:]) / 2
    inner = (middles > 0.3) & (middles < SECONDS - 0.3)
    # In the logarithm the swing is a sine whatever the unit of the value.
    assert delay_of(values[inner], middles[inner]) == pytest.approx(delay_s, abs=0.008)

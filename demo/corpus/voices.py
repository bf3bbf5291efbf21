"""Voices by source and filter: glottal pulses and breath noise through moving formants."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

RATE = 16000  # Hz
HOP = 80  # samples between control points: 5 ms
WINDOW = 400  # samples of the filter's analysis window: 25 ms

# First three formants of five vowels (Hz), for a vocal tract of middle length.
VOWELS = np.array(
    [[730, 1200, 2500], [530, 1800, 2500], [300, 2200, 2950], [560, 900, 2450], [330, 950, 2300]]
)
BANDWIDTHS = np.array([80.0, 110.0, 160.0, 250.0])
FOURTH_FORMANT = 3500.0


@dataclass(frozen=True)
class Voice:
    """What stays the same in a speaker: middle pitch (Hz), formant scale, breath, loudness (dB)."""

    pitch: float
    tract: float
    breath: float
    gain_db: float


@dataclass(frozen=True)
class Speech:
    """What is said, at the control rate (one value each 5 ms).

    Attributes:
        opening: syllable envelope in [0, 1], 0 in pauses; the mouth follows it.
        formants: (points, 4), Hz, before the speaker's scale.
        hiss: level of consonant noise, in [0, 1].
        phrase: time within the phrase, in [0, 1], for the contour of the pitch.
    """

    opening: NDArray[np.float64]
    formants: NDArray[np.float64]
    hiss: NDArray[np.float64]
    phrase: NDArray[np.float64]


def control_times(duration_s: float) -> NDArray[np.float64]:
    """Times (s) of the control points of a clip."""
    return np.asarray(np.arange(int(np.ceil(duration_s * RATE / HOP)) + 1) * (HOP / RATE))


def speak(rng: np.random.Generator, arousal: NDArray[np.float64]) -> Speech:
    """Draw syllables, vowels and pauses; ``arousal`` (one value a control point) sets the rate."""
    points = len(arousal)
    step = HOP / RATE
    opening, hiss, phrase = np.zeros(points), np.zeros(points), np.zeros(points)
    formants = np.full((points, 4), FOURTH_FORMANT)
    formants[:, :3] = VOWELS.mean(axis=0)
    at = int(rng.uniform(0.0, 0.2) / step)
    while at < points:
        end_of_phrase = min(points, at + int(rng.uniform(1.4, 2.6) / step))
        start_of_phrase = at
        while at < end_of_phrase:
            rate = 4.2 * 2 ** (0.55 * np.clip(arousal[at], -1.6, 1.6))  # syllables a second
            length = max(12, int(rng.uniform(0.85, 1.15) / rate / step))
            here = slice(at, min(points, at + length))
            x = (np.arange(here.stop - at) + 0.5) / length
            opening[here] = rng.uniform(0.7, 1.0) * (0.3 + 0.7 * np.sin(np.pi * x) ** 0.8)
            formants[here, :3] = VOWELS[rng.integers(len(VOWELS))]
            if rng.random() < 0.6:
                hiss[here] = rng.uniform(0.3, 1.0) * np.exp(-(((x - 0.05) / 0.09) ** 2))
            at += length
        phrase[start_of_phrase:end_of_phrase] = np.linspace(
            0, 1, end_of_phrase - start_of_phrase, endpoint=False
        )
        at += int(rng.uniform(0.12, 0.3) / step)
    glide = signal.windows.hann(17)
    glide /= glide.sum()
    padded = np.pad(formants, ((8, 8), (0, 0)), mode="edge")
    formants = np.stack([np.convolve(column, glide, "valid") for column in padded.T], axis=1)
    return Speech(opening, formants, hiss, phrase)


def sing(
    rng: np.random.Generator,
    voice: Voice,
    speech: Speech,
    valence: NDArray[np.float64],
    arousal: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sound (``RATE``, about [-1, 1]) of the speech; cues have one value a control point.

    Arousal raises pitch and loudness and flattens the spectrum's slope; valence widens and lifts
    the contour of the phrase and shortens the vocal tract, as a smile does.
    """
    valence, arousal = np.clip(valence, -1.6, 1.6), np.clip(arousal, -1.6, 1.6)
    points = len(arousal)
    samples = (points - 1) * HOP
    at = np.arange(samples) / HOP

    def to_samples(control: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(at, np.arange(points), control)

    contour = (0.4 - speech.phrase) * 2.0 + 2.2 * valence * np.sin(np.pi * speech.phrase)
    jitter = signal.lfilter([0.1], [1, -0.9], rng.standard_normal(points))
    semitones = 4.0 * arousal + contour + 0.5 * jitter
    pitch = voice.pitch * 2 ** (to_samples(semitones) / 12)
    phase = np.cumsum(pitch) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0) * (RATE / pitch) ** 0.5
    # A vocal fold closes smoothly: 12 dB an octave, undone in part by the radiation at the lips.
    source = signal.lfilter([1.0, -0.5], np.poly([0.95, 0.86]), pulses)
    source += voice.breath * rng.standard_normal(samples)

    level = 10 ** ((voice.gain_db + 6.0 * arousal) / 20)
    voiced = source * to_samples(speech.opening * level)
    hissed = rng.standard_normal(samples) * to_samples(speech.hiss * level)

    frequencies, _, spectrum = signal.stft(voiced, RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
    formants = speech.formants * (voice.tract * 1.14**valence)[:, None]
    filtered = spectrum * _resonances(frequencies, formants)[:, : spectrum.shape[1]]
    slope_db = 3.5 * arousal + 3.0 * valence  # an octave above 500 Hz, on top of the source's
    octaves = np.log2(np.maximum(frequencies, 500.0) / 500.0)
    filtered *= 10 ** (octaves[:, None] * slope_db[None, : spectrum.shape[1]] / 20)
    sound = signal.istft(filtered, RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)[1][:samples]
    consonants = signal.sosfilt(
        signal.butter(2, [2800, 6800], "bandpass", fs=RATE, output="sos"), hissed
    )
    return np.asarray(0.03 * sound + 0.04 * consonants)


def _resonances(
    frequencies: NDArray[np.float64], formants: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gain (frequencies, points) of four two-pole resonances in a row, each 1 at 0 Hz."""
    gain = np.ones((len(frequencies), len(formants)))
    squared = frequencies[:, None] ** 2
    for centre, width in zip(formants.T, BANDWIDTHS, strict=True):
        gain *= centre**2 / np.sqrt((centre**2 - squared) ** 2 + squared * width**2)
    return gain


def room(rng: np.random.Generator, samples: int, level_db: float) -> NDArray[np.float64]:
    """Background noise: a hum and a rumble whose level wanders by some dB."""
    noise = signal.lfilter([0.08], [1, -0.92], rng.standard_normal(samples)) * 3.0
    noise += 0.25 * np.sin(2 * np.pi * 50.0 * np.arange(samples) / RATE + rng.uniform(0, 6))
    knots = rng.uniform(-4, 4, size=max(2, samples // RATE + 2))
    wander = np.interp(np.linspace(0, len(knots) - 1, samples), np.arange(len(knots)), knots)
    return np.asarray(noise * 10 ** ((level_db + wander) / 20))

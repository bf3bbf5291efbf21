"""Synthetic sounds, and wave files of them."""

import wave
from pathlib import Path

import numpy as np

from circumplex.features.sound import AudioRows

RATE = 16_000


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Voice-like: a gliding, interrupted harmonic tone and noise, as 16-bit values."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * time)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * (np.sin(3 * time) > -0.3)
    return ((0.1 * tone + 0.01 * rng.normal(size=len(time))) * 32767).astype("<i2")


def write_wave(path: Path, samples: np.ndarray, channels=1, width=2, rate=RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def join(rows) -> AudioRows:
    return AudioRows(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))

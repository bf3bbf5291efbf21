"""Benchmark inputs: crops and sound of a finished run, or synthetic ones."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from circumplex.features.sound import ExampleExtractor
from circumplex.features.visual import CROP_SIZE, FrameExtractor, decode_crop
from circumplex.io.parquet import iter_batches
from circumplex.media.wave import SAMPLE_RATE, WaveFile

SPREAD = 997  # rows between crops that are used, since neighbours are similar


def synthesise_crops(count: int) -> NDArray[np.uint8]:
    """Pictures (count, 112, 112, 3) of smooth patches with some grain."""
    rng = np.random.default_rng(0)
    size = (CROP_SIZE, CROP_SIZE)
    crops = []
    for _ in range(count):
        patches = rng.integers(0, 256, (7, 7, 3)).astype(np.float32)
        grain = rng.normal(0, 8, (*size, 3))
        crops.append(cv2.resize(patches, size, interpolation=cv2.INTER_CUBIC) + grain)
    return np.clip(np.rint(crops), 0, 255).astype(np.uint8)


def synthesise_sound(samples: int) -> NDArray[np.float32]:
    """A gliding, interrupted harmonic tone with noise, in [-1, 1]."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * time)) / SAMPLE_RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * (np.sin(3 * time) > -0.3)
    return np.asarray(0.1 * tone + 0.01 * rng.normal(size=samples), np.float32)


def read_crops(results: Path, count: int) -> NDArray[np.uint8]:
    """Face crops of a run, from all its samples; synthetic ones if it has too few."""
    found: list[NDArray[np.uint8]] = []
    for path in sorted((results / "align_faces").glob("*.parquet")):
        row = 0
        for rows in iter_batches(path, ["frame", "crop"]):
            for crop in rows["crop"]:
                if row % SPREAD == 0 and crop.is_valid and len(found) < count:
                    found.append(decode_crop(crop.as_py(), row))
                row += 1
    return np.stack([*found, *synthesise_crops(count)][:count])


def read_sound(results: Path, samples: int) -> NDArray[np.float32]:
    """The first seconds of a run's sounds, concatenated; synthetic sound if there is too little."""
    parts: list[NDArray[np.float32]] = []
    for path in sorted((results / "extract_audio").glob("*.wav")):
        with WaveFile(path) as file:
            parts.append(file.read(0, min(file.samples, 10 * SAMPLE_RATE)))
        if sum(map(len, parts)) >= samples:
            break
    return np.concatenate([*parts, synthesise_sound(samples)])[:samples]


def inputs_of(extractor: Any, results: Path) -> NDArray[Any]:
    """One full batch for a deep extractor of any kind."""
    if isinstance(extractor, FrameExtractor):
        crops = read_crops(results, extractor.batch_size)
        return np.stack([extractor.prepare(crop) for crop in crops])
    samples = extractor.samples
    if isinstance(extractor, ExampleExtractor):
        sound = read_sound(results, extractor.batch_size * samples)
        return sound.reshape(extractor.batch_size, samples)
    sound = read_sound(results, samples)
    return np.asarray(((sound - sound.mean()) / sound.std())[None])

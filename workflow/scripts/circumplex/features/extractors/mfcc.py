"""Mel-frequency cepstral coefficients of torchaudio, every 10 ms."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchaudio.transforms import MFCC

from circumplex.config.extractors.mfcc import Options
from circumplex.features.sound import AudioRows
from circumplex.media.wave import SAMPLE_RATE, WaveFile

WINDOW, HOP, FFT, BANDS = 400, 160, 512, 64  # samples: 25 ms, 10 ms, the next power of two; bands
ROWS_AT_ONCE = 6000  # a minute


class MFCCExtractor:
    """Gives the coefficients of Hann windows of 25 ms every 10 ms, of log mel energies.

    Row k is of [0.01 k, 0.01 k + 0.025) s; shorter sound is filled up with zeros.

    Args:
        options: of the feature.
    """

    name = "mfcc"

    def __init__(self, options: Options) -> None:
        self.dimension = options.dimension
        self.columns = tuple(f"mfcc{k}" for k in range(options.dimension))
        # Not in decibels: torchaudio cuts those 80 below the loudest of all it is given at once.
        self._transform = MFCC(
            SAMPLE_RATE,
            options.dimension,
            log_mels=True,
            melkwargs={
                "n_fft": FFT,
                "win_length": WINDOW,
                "hop_length": HOP,
                "n_mels": BANDS,
                "center": False,
            },
        )

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """One row for every 10 ms, a minute at a time.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        margin = (FFT - WINDOW) // 2  # torch puts the window in the middle of the transform
        with WaveFile(wave) as file:
            rows = 1 + max(0, file.samples - WINDOW) // HOP
            for first in range(0, rows, ROWS_AT_ONCE):
                count = min(ROWS_AT_ONCE, rows - first)
                sound = np.zeros((count - 1) * HOP + FFT, np.float32)
                read = file.read(first * HOP, (count - 1) * HOP + WINDOW)
                sound[margin : margin + len(read)] = read
                values = self._transform(torch.from_numpy(sound)).T.numpy()
                starts = np.arange(first, first + count) * HOP / SAMPLE_RATE
                yield AudioRows(starts, starts + WINDOW / SAMPLE_RATE, values)


def build(options: Mapping[str, Any], device: str = "cpu") -> MFCCExtractor:  # noqa: ARG001
    """The extractor of the config's slice; it computes on the CPU.

    Raises:
        RequestError: the options are invalid.
    """
    return MFCCExtractor(Options.read(options, "features.mfcc"))

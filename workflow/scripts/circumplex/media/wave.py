"""Wave files as the pipeline writes them: 16-bit mono PCM at 16 kHz."""

import wave
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError

SAMPLE_RATE = 16_000  # Hz


class WaveFile:
    """A 16-bit mono PCM wave at 16 kHz, read piece by piece.

    Raises:
        ModalityAbsent: there is not one sample of sound.
        SampleError: it cannot be read, or has another format.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._file = wave.open(str(self._path), "rb")
        except (wave.Error, EOFError) as error:
            raise SampleError(f"{self._path.name} is no readable wave file: {error}") from error
        found = self._file.getnchannels(), self._file.getsampwidth(), self._file.getframerate()
        self.samples = self._file.getnframes()
        problem: SampleError | ModalityAbsent | None = None
        if found != (1, 2, SAMPLE_RATE):
            problem = SampleError(
                f"{self._path.name} has {found[0]} channels of {8 * found[1]} bits at {found[2]} "
                f"Hz, expected 1 of 16 bits at {SAMPLE_RATE} Hz"
            )
        elif self.samples == 0:
            problem = ModalityAbsent("the audio stream holds no sample")
        if problem:
            self._file.close()
            raise problem
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Samples ``start`` to ``start + count`` in [-1, 1), with zeros after the end."""
        self._file.setpos(min(start, self.samples))
        found = np.frombuffer(self._file.readframes(count), "<i2")
        samples = np.zeros(count, np.float32)
        np.divide(found, np.float32(32768), out=samples[: len(found)])
        return samples


def read_blocks(path: Path, samples: int) -> Iterator[NDArray[np.float32]]:
    """The WAV in blocks of at most ``samples`` values, float32 in [-1, 1)."""
    with wave.open(str(path), "rb") as file:
        while data := file.readframes(samples):
            yield np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0

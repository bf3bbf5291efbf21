"""Read wave files as the pipeline writes them: 16-bit mono PCM at 16 kHz."""

import json
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError

SAMPLE_RATE = 16_000  # Hz


class WaveFile:
    """A 16-bit mono PCM wave file at 16 kHz, read piece by piece.

    Attributes:
        samples: number of audio samples in the file.

    Raises:
        ModalityAbsent: the file holds no audio sample.
        SampleError: the file cannot be read, or has another format.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._file = wave.open(str(self._path), "rb")
        except (wave.Error, EOFError) as error:
            raise SampleError(f"{self._path.name} is not a readable wave file: {error}") from error
        self.samples = self._file.getnframes()
        if problem := self._find_problem():
            self._file.close()
            raise problem
        return self

    def _find_problem(self) -> SampleError | ModalityAbsent | None:
        channels, width = self._file.getnchannels(), self._file.getsampwidth()
        rate = self._file.getframerate()
        if (channels, width, rate) != (1, 2, SAMPLE_RATE):
            return SampleError(
                f"{self._path.name} has {channels} channels of {8 * width} bits at {rate} Hz, "
                f"expected 1 of 16 bits at {SAMPLE_RATE} Hz"
            )
        return None if self.samples else ModalityAbsent("the audio stream holds no sample")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Read samples ``start`` to ``start + count``, (count,) in [-1, 1), zeros after the end."""
        self._file.setpos(min(start, self.samples))
        stored = np.frombuffer(self._file.readframes(count), "<i2")
        samples = np.zeros(count, np.float32)
        np.divide(stored, np.float32(32768), out=samples[: len(stored)])
        return samples


def read_blocks(path: Path, samples: int) -> Iterator[NDArray[np.float32]]:
    """Read a wave file in blocks of at most ``samples`` values, float32 in [-1, 1)."""
    with wave.open(str(path), "rb") as file:
        while data := file.readframes(samples):
            yield np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0


def append_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Append facts about a finished wave file to it, as a comment that readers of sound pass over.

    They are JSON in a chunk ``LIST`` of type ``INFO``, field ``ICMT``.
    """
    text = json.dumps(facts, sort_keys=True).encode() + b"\0"
    text += b"\0" * (len(text) % 2)
    field = b"ICMT" + len(text).to_bytes(4, "little") + text
    chunk = b"LIST" + (len(field) + 4).to_bytes(4, "little") + b"INFO" + field
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        file.write(bytes(end % 2) + chunk)
        size = file.tell() - 8
        file.seek(4)
        file.write(size.to_bytes(4, "little"))


def read_facts(path: Path) -> dict[str, Any]:
    """The facts that `append_facts` wrote; empty if there are none."""
    with path.open("rb") as file:
        file.seek(12)
        while (head := file.read(8)) and len(head) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"LIST":
                return _parse_facts(file, size)
            file.seek(size + size % 2, 1)
    return {}


def _parse_facts(file: BinaryIO, size: int) -> dict[str, Any]:
    content = file.read(size)
    if content[:8] != b"INFOICMT":
        return {}
    return dict(json.loads(content[12:].rstrip(b"\0")))

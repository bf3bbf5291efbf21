"""From a wave file to a table of features at the extractor's own rate (section 3.2.2)."""

import wave
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.extractors.batches import BatchExtractor
from circumplex.table import TableWriter, interval_schema, vector_field

SAMPLE_RATE = 16_000  # Hz


class Intervals(NamedTuple):
    """Which sound consecutive rows of a feature are of.

    Attributes:
        start_s: (rows,) seconds on the video's clock; the centre of a row is the mean of its
            start and its end.
        end_s: (rows,) seconds.
    """

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


class AudioRows(NamedTuple):
    """Consecutive rows of a feature.

    Attributes:
        start_s: (rows,) as in `Intervals`.
        end_s: (rows,) as in `Intervals`.
        values: (rows, dimension) float32.
    """

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    values: NDArray[np.float32]


class AudioExtractor(Protocol):
    """Describes sound at its own rate.

    Attributes:
        name: of the feature, and of its column.
        dimension: values a row.
        columns: names of the values; empty where they have none.
    """

    name: str
    dimension: int
    columns: tuple[str, ...]

    def rows(self, wave: Path) -> Iterator[AudioRows]:
        """The rows of a wave file in order, in pieces; at least one row.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        ...


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


class ExampleExtractor(AudioExtractor, BatchExtractor, Protocol):
    """Embeds examples of sound of one length, in batches that samples share."""

    def read(self, wave: Path) -> Iterator[tuple[Intervals, NDArray[np.float32]]]:
        """The examples of a wave file in order, in pieces; at least one example.

        Raises:
            ModalityAbsent: there is not one sample of sound.
            SampleError: the file is not 16-bit mono PCM at 16 kHz.
        """
        ...


def extract_audio_feature(
    wave: Path, output: Path, extractor: AudioExtractor, metadata: Mapping[str, Any]
) -> None:
    """Write the feature of a wave file; see `write_rows`.

    Raises:
        ModalityAbsent: there is not one sample of sound.
        SampleError: the file is not 16-bit mono PCM at 16 kHz.
    """
    write_rows(extractor.rows(wave), output, extractor, metadata)


def write_rows(
    rows: Iterable[AudioRows], output: Path, extractor: AudioExtractor, metadata: Mapping[str, Any]
) -> None:
    """Write ``start_s, end_s`` and the feature; the metadata's ``columns`` names the values."""
    schema = interval_schema(vector_field(extractor.name, extractor.dimension))
    columns = {"columns": list(extractor.columns)} if extractor.columns else {}
    with TableWriter(output, schema, {**metadata, **columns}) as table:
        for piece in rows:
            values = {extractor.name: piece.values}
            table.write(start_s=piece.start_s, end_s=piece.end_s, **values)

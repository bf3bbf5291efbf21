"""Extract audio features: from a wave file to rows at the extractor's own rate (section 3.2.2)."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from circumplex.features.batches import BatchExtractor
from circumplex.io.parquet import TableWriter, interval_schema, vector_field


class Intervals(NamedTuple):
    """Intervals of sound that consecutive rows of a feature describe.

    Attributes:
        start_s: (rows,) seconds on the video's clock; the centre of a row is the mean of its
            start and its end.
        end_s: (rows,) seconds on the video's clock.
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
    """Extractor that describes sound at its own rate.

    Attributes:
        name: name of the feature and of its column.
        dimension: values per row.
        columns: names of the values; empty if they have none.
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


@runtime_checkable
class ExampleExtractor(AudioExtractor, BatchExtractor, Protocol):
    """Extractor that embeds examples of sound of one length, in batches that samples share."""

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

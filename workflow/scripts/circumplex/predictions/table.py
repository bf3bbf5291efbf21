"""Tables of predictions: all samples of a model or ensemble in one file, one row group each.

Keys are ``sample``, ``frame`` and ``time_s``; values are ``valence`` and ``arousal``. With one row
group per sample, a reader gets any sample without reading the others.
"""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from circumplex.io.parquet import TableWriter, describe, frame_schema, read_metadata, to_numpy
from circumplex.targets import TARGETS


class PredictionWriter:
    """Write predictions sample by sample, atomically.

    Args:
        path: table to write.
        metadata: how the predictions were made.
    """

    def __init__(self, path: Path, metadata: Mapping[str, Any]) -> None:
        keys = frame_schema(*(describe(t, pa.float32(), f"predicted {t}") for t in TARGETS))
        schema = keys.insert(0, describe("sample", pa.string(), "name of the sample"))
        self._table = TableWriter(path, schema, metadata)

    def __enter__(self) -> Self:
        self._table.__enter__()
        return self

    def write(self, sample: str, time_s: NDArray[np.float64], values: NDArray[np.floating]) -> None:
        """Append a sample: times (frames,) in seconds and predictions (frames, 2).

        Raises:
            ValueError: the numbers of times and predictions differ.
        """
        if values.shape != (len(time_s), len(TARGETS)):
            raise ValueError(f"{sample}: predictions {values.shape} for {len(time_s)} frames")
        self._table.write(
            sample=[sample] * len(time_s),
            frame=np.arange(len(time_s), dtype=np.int32),
            time_s=time_s,
            valence=values[:, 0].astype(np.float32),
            arousal=values[:, 1].astype(np.float32),
        )
        self._table.end_group()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._table.__exit__(kind, error, trace)


class PredictionTable:
    """Read predictions by sample.

    Args:
        path: table written by `PredictionWriter`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = pq.ParquetFile(path, memory_map=True)
        column = self._file.schema_arrow.get_field_index("sample")
        self._groups = {
            self._file.metadata.row_group(g).column(column).statistics.min: g
            for g in range(self._file.num_row_groups)
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """How the predictions were made."""
        return read_metadata(self._path)

    @property
    def samples(self) -> list[str]:
        """Names of the samples in the table's order."""
        return list(self._groups)

    def __contains__(self, sample: str) -> bool:
        return sample in self._groups

    def frames(self, sample: str) -> int:
        """Number of frames of a sample, without reading them."""
        return int(self._file.metadata.row_group(self._groups[sample]).num_rows)

    def time_s(self, sample: str) -> NDArray[np.float64]:
        """Presentation times of a sample in seconds, (frames,)."""
        return to_numpy(self._read(sample, ["time_s"])["time_s"])

    def values(self, sample: str) -> NDArray[np.float32]:
        """Valence and arousal of a sample, (frames, 2) in [-1, 1]."""
        table = self._read(sample, list(TARGETS))
        return np.stack([to_numpy(table[name]) for name in TARGETS], axis=1)

    def _read(self, sample: str, columns: list[str]) -> pa.Table:
        return self._file.read_row_group(self._groups[sample], columns=columns)

"""Parquet tables: one file per sample and stage, written atomically, streamed in row groups.

Frame tables are keyed by ``frame`` (int32, from 0) and ``time_s`` (float64, seconds on the
sample's clock, from presentation timestamps); native-rate audio tables by ``start_s`` and
``end_s``. A feature is one named fixed-size-list<float32> column. The schema's metadata holds,
under the key ``circumplex``, a JSON object that describes how the table was made; each field's
metadata says under ``description`` what the column holds.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

METADATA_KEY = b"circumplex"
DESCRIPTION_KEY = b"description"
ROWS_PER_GROUP, BYTES_PER_GROUP = 1024, 2**20
"""A row group ends at whichever limit comes first; a reader holds one group in memory."""


def describe(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    """Field whose metadata say, under ``description``, what the column holds, and in which unit."""
    return pa.field(name, kind, nullable, {DESCRIPTION_KEY: description.encode()})


def describe_all(schema: pa.Schema, descriptions: Mapping[str, str]) -> pa.Schema:
    """A schema whose fields have descriptions, as `describe` gives them, by name.

    Raises:
        KeyError: a field has none.
    """
    return pa.schema(
        [
            field.with_metadata({DESCRIPTION_KEY: descriptions[field.name].encode()})
            for field in schema
        ],
        schema.metadata,
    )


def vector_field(name: str, dimension: int) -> pa.Field:
    """Field of a feature: ``dimension`` float32 values per row under the feature's name."""
    description = f"values of the feature {name}; named by columns of the metadata, if at all"
    return describe(name, pa.list_(pa.float32(), dimension), description)


def frame_schema(*columns: pa.Field) -> pa.Schema:
    """Schema of a table with one row per video frame: ``frame``, ``time_s``, then ``columns``."""
    keys = [
        describe("frame", pa.int32(), "number of the frame on the sample's timeline, from 0"),
        describe("time_s", pa.float64(), "time of the frame in seconds from the first frame"),
    ]
    return pa.schema([*keys, *columns])


def interval_schema(*columns: pa.Field) -> pa.Schema:
    """Schema of a table at an audio extractor's own rate: ``start_s``, ``end_s``, ``columns``."""
    keys = [
        describe("start_s", pa.float64(), "begin of the interval in seconds from the first frame"),
        describe("end_s", pa.float64(), "end of the interval in seconds from the first frame"),
    ]
    return pa.schema([*keys, *columns])


def to_arrow(values: Any, field: pa.Field) -> pa.Array:
    """Convert one column to Arrow; 2-d float arrays become fixed-size lists.

    Raises:
        ValueError: a feature is not of shape (rows, dimension).
    """
    if pa.types.is_fixed_size_list(field.type):
        matrix = np.ascontiguousarray(values, dtype=np.float32)
        if matrix.ndim != 2 or matrix.shape[1] != field.type.list_size:
            expected = f"(rows, {field.type.list_size})"
            raise ValueError(f"column {field.name}: shape {matrix.shape}, expected {expected}")
        flat = pa.array(matrix.reshape(-1), type=pa.float32())
        return pa.FixedSizeListArray.from_arrays(flat, type=field.type)
    return pa.array(values, type=field.type)


class TableWriter:
    """Write a table in pieces; ``path`` appears only when the ``with`` block succeeds.

    Args:
        path: final path; rows are written to a temporary file beside it.
        schema: schema from `frame_schema` or `interval_schema`.
        metadata: JSON-serialisable description of how the table is made.
    """

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, Any]) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        encoded = json.dumps(metadata, sort_keys=True, ensure_ascii=False).encode()
        self.schema = schema.with_metadata({METADATA_KEY: encoded})
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows, self._pending_bytes = 0, 0
        self.rows = 0

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Values rarely repeat: with a dictionary, files would be one and a half times as large.
        self._writer = pq.ParquetWriter(
            self._temporary, self.schema, compression="zstd", use_dictionary=False
        )
        return self

    def write(self, **columns: Any) -> None:
        """Append rows: every column of the schema by name, all of the same length.

        Raises:
            ValueError: a column is not in the schema, or has another shape.
        """
        arrays = [to_arrow(columns.pop(field.name), field) for field in self.schema]
        if columns:
            raise ValueError(f"unknown columns: {', '.join(columns)}")
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        self._pending_bytes += batch.nbytes
        self.rows += batch.num_rows
        if self._pending_rows >= ROWS_PER_GROUP or self._pending_bytes >= BYTES_PER_GROUP:
            self.end_group()

    def end_group(self) -> None:
        """End the row group here instead of after about `ROWS_PER_GROUP` rows."""
        if self._pending:
            group = pa.Table.from_batches(self._pending, schema=self.schema)
            self._writer.write_table(group, row_group_size=max(self._pending_rows, 1))
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.end_group()
            self._writer.close()
            if kind is None:
                self._temporary.replace(self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def to_numpy(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """Convert a column to an array; fixed-size lists become (rows, dimension) float32."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_fixed_size_list(array.type):
        flat = array.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat).reshape(len(array), array.type.list_size)
    return np.asarray(array.to_numpy(zero_copy_only=False))


def read_columns(path: Path, columns: Sequence[str]) -> list[NDArray[Any]]:
    """Read whole columns of a small table, in the requested order."""
    table = pq.read_table(path, columns=list(columns))
    return [to_numpy(table[name]) for name in columns]


def iter_batches(
    path: Path, columns: Sequence[str], rows: int = ROWS_PER_GROUP
) -> Iterator[pa.RecordBatch]:
    """Read the table in pieces of at most ``rows`` rows, so that memory does not grow with it.

    It uses no memory map, whose pages count as resident memory once read, and no buffering in
    advance, which would keep every row group that is still to be read.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        yield from file.iter_batches(batch_size=rows, columns=list(columns))


def count_rows(path: Path) -> int:
    """Number of rows, read from the footer only."""
    return int(pq.read_metadata(path).num_rows)


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON object under ``circumplex`` in the schema's metadata; empty if there is none."""
    metadata = pq.read_schema(path).metadata or {}
    return dict(json.loads(metadata.get(METADATA_KEY, b"{}")))

"""Features in a Parquet table, of one sample or of all with a column ``sample``."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from circumplex.errors import SampleError
from circumplex.features.imports.feature_file import (
    FRAME,
    SAMPLE,
    TIME_S,
    FeatureFile,
    Rows,
    check_frames,
    check_samples,
    check_size,
    find_keys,
    naming_errors,
    rows_per_block,
)
from circumplex.features.imports.parquet_columns import (
    choose_columns,
    fixed_dimension,
    is_vector,
    read_column,
    read_names,
    read_numbers,
)

MOST_ROWS_OF_ALL = 100_000_000
"""Rows of a table of all samples: Aff-Wild2 has three million frames."""
BYTES_PER_VALUE = 32
"""Of a column before it is compressed, at most: four times those of the largest number."""
BYTES_PER_NAME = 1024
SLACK = 2**20
"""Bytes of a column of a row group, or values, that are always allowed."""


@dataclass(frozen=True)
class _Table:
    """A table of which nothing but the footer has been read.

    Attributes:
        path: of the file.
        metadata: of the footer.
        data: reads it.
        columns: of the feature.
        keys: names of the key columns by key.
        sample: name of the sample.
        chosen: the rows to read; none for all.
    """

    path: Path
    metadata: pq.FileMetaData
    data: pyarrow.dataset.Dataset
    columns: list[str]
    keys: Mapping[str, str]
    sample: str
    chosen: pc.Expression | None

    @cached_property
    def leaves(self) -> Mapping[str, Sequence[int]]:
        """Places in the footer of what each column stores, by the column's name."""
        found: dict[str, list[int]] = defaultdict(list)
        schema = self.metadata.schema
        for place in range(len(schema)):
            column = schema.column(place)
            found[column.path].append(place)
            if column.max_repetition_level > 0:  # a list, as name.list.element; names have dots too
                parts = column.path.split(".")
                for count in range(1, len(parts)):
                    found[".".join(parts[:count])].append(place)
        return found


def open_parquet(
    path: Path, feature: str, sample: str, dimension: int | None, *, of_all: bool
) -> FeatureFile:
    """Open a table; what its footer says of sizes is checked before any value is read.

    Args:
        path: of the file.
        feature: name of the feature.
        sample: name of the sample.
        dimension: values that each row must have; none if only the rows are to be counted.
        of_all: whether it is the table of all samples.

    Raises:
        SampleError: no such rows, no such column, a type of column that holds no numbers, or more
            values than the rows can have.
    """
    with naming_errors(path):
        metadata = pq.read_metadata(path)
        data = pyarrow.dataset.dataset(path, format="parquet")
        names = data.schema.names
        columns = choose_columns(path, data.schema, feature)
        keys = {key: names[place] for key, place in find_keys(path, names).items()}
        chosen = _choose_rows(path, data.schema, keys, sample) if of_all else None
        table = _Table(path, metadata, data, columns, keys, sample, chosen)
        found = _dimension(table)
        _check_columns(table, found or dimension)
        rows = _count_rows(table)
    return FeatureFile(path, rows, found, lambda: _blocks(table, found or dimension))


def _count_rows(table: _Table) -> int:
    rows = int(table.metadata.num_rows)
    if table.chosen is not None:
        if rows > MOST_ROWS_OF_ALL:
            raise SampleError(
                f"{table.path} has {rows} rows, and {MOST_ROWS_OF_ALL} are the most: write a file "
                "per sample"
            )
        rows = int(table.data.count_rows(filter=table.chosen))
        if not rows:
            kind = table.data.schema.field(table.keys[SAMPLE]).type
            raise SampleError(
                f"{table.path} has no row of this sample in its column sample, which holds {kind}"
            )
    check_size(table.path, rows)
    return rows


def _choose_rows(
    path: Path, schema: pa.Schema, keys: Mapping[str, str], sample: str
) -> pc.Expression:
    if SAMPLE not in keys:
        raise SampleError(f"{path} has no column sample: add it, or write one file per sample")
    kind = schema.field(keys[SAMPLE]).type
    field = pyarrow.dataset.field(keys[SAMPLE])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return field == sample
    text = pa.types.is_dictionary(kind) or pa.types.is_integer(kind) or _is_view(kind)
    if not text:
        raise SampleError(f"{path}: column sample holds {kind}: write the samples' names as text")
    return field.cast(pa.string()) == sample


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind))


def _dimension(table: _Table) -> int | None:
    """Values per row; none where only the rows themselves show it."""
    (name, *more) = table.columns
    kind = table.data.schema.field(name).type
    if more or not is_vector(kind):
        return len(table.columns)
    if (fixed := fixed_dimension(kind)) is not None:
        return fixed
    rows, groups = table.metadata.num_rows, range(table.metadata.num_row_groups)
    values = sum(
        table.metadata.row_group(group).column(leaf).num_values
        for group in groups
        for leaf in table.leaves.get(name, [])
    )
    return values // rows if table.chosen is None and rows and values % rows == 0 else None


def _check_columns(table: _Table, dimension: int | None) -> None:
    """Refuse columns that need more memory than their rows can, before any of it is allocated.

    In a table of all samples, those of another one may have more values than they should, and this
    one is read all the same.
    """
    per_row = None
    if dimension is not None:
        per_row = dimension if table.chosen is None else 4 * dimension
    one_column = len(table.columns) == 1
    for name in (*table.columns, *table.keys.values()):
        is_name = table.keys.get(SAMPLE) == name
        bytes_each = BYTES_PER_NAME if is_name else BYTES_PER_VALUE
        most = per_row if one_column and name in table.columns else 1
        for leaf in table.leaves.get(name, []):
            for group in range(table.metadata.num_row_groups):
                of_group = table.metadata.row_group(group)
                column = of_group.column(leaf)
                values, size = column.num_values, column.total_uncompressed_size
                if most is not None and values > most * of_group.num_rows + SLACK:
                    raise SampleError(
                        f"{table.path}: column {name} has {values} values in {of_group.num_rows} "
                        f"rows, expected at most {most} per row"
                    )
                if size > bytes_each * values + SLACK:
                    raise SampleError(
                        f"{table.path}: column {name} takes {size} bytes for {values} values, more "
                        "than numbers and names take: write it again"
                    )


def _blocks(table: _Table, dimension: int | None) -> Iterator[Rows]:
    asked = {key: name for key, name in table.keys.items() if key != SAMPLE or table.chosen is None}
    start = 0
    with naming_errors(table.path):
        scanner = table.data.scanner(
            columns=[*table.columns, *asked.values()],
            filter=table.chosen,
            batch_size=rows_per_block(dimension or 1),
            batch_readahead=1,
            use_threads=False,
        )
        for batch in scanner.to_batches():
            if batch.num_rows:
                yield _read_batch(table, batch, asked, start)
                start += batch.num_rows


def _read_batch(table: _Table, batch: pa.RecordBatch, keys: Mapping[str, str], start: int) -> Rows:
    path = table.path
    found: dict[str, Any] = {key: batch.column(name) for key, name in keys.items()}
    if SAMPLE in found:
        check_samples(path, start, read_names(found[SAMPLE]), table.sample)
    if FRAME in found:
        check_frames(path, start, read_numbers(found[FRAME]))
    values = [read_column(path, name, batch.column(name)) for name in table.columns]
    times = read_numbers(found[TIME_S]) if TIME_S in found else None
    return Rows(np.column_stack(values), times)

"""Which columns of a user's Parquet table are a feature, and their values as numbers.

pandas and polars write the same vectors in several ways: as lists of either length of offset, as
lists of fixed length, as a column for each value; names as text, as categories or as integers.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.features.imports.feature_file import key_of

_INDEX = re.compile(r"__index_level_\d+__")
"""Columns in which pandas keeps an index that has no name."""
_MOST_NAMED = 20


def choose_columns(path: Path, schema: pa.Schema, feature: str) -> list[str]:
    """Columns of a feature: that of its name, else the only one of vectors, else all of numbers.

    Key columns and an index of pandas are no values.

    Raises:
        SampleError: there is no such column, several of vectors, or one that holds no numbers.
    """
    if feature in schema.names:
        field = schema.field(feature)
        if not (is_number(field.type) or is_vector(field.type)):
            raise SampleError(
                f"{path}: column {feature} holds {field.type}: write numbers, or lists of numbers"
            )
        return [feature]
    apart = _index_columns(schema)
    fields = [f for f in schema if key_of(f.name) is None and f.name not in apart]
    vectors = [field.name for field in fields if is_vector(field.type)]
    numbers = [field.name for field in fields if is_number(field.type)]
    if len(vectors) > 1 or not (vectors or numbers):
        named = [f"{field.name} ({field.type})" for field in schema][:_MOST_NAMED]
        raise SampleError(
            f"{path}: name the column of {feature} {feature!r}, and write numbers or lists of "
            f"numbers into it; the table has {', '.join(named)}"
        )
    return vectors or numbers


def is_vector(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists of numbers, of whichever kind of list."""
    kind = _plain(kind)
    return _is_list(kind) and is_number(kind.value_type)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers, each by itself or as a category."""
    kind = _plain(kind)
    numeric = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)
    return any(test(kind) for test in numeric)


def fixed_dimension(kind: pa.DataType) -> int | None:
    """Values of each list, where the type says so."""
    kind = _plain(kind)
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def read_column(path: Path, name: str, column: pa.Array) -> NDArray[Any]:
    """The values of a column of numbers or lists, (rows, values).

    Raises:
        SampleError: cells without a value, or lists of different lengths.
    """
    column = _decode(column)
    _refuse_nulls(path, name, column)
    if not _is_list(column.type):
        return _numbers(column)[:, None]
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) > 1:
        raise SampleError(f"{path}: column {name} holds vectors of {sorted(lengths)} values")
    values = _decode(column.flatten())
    _refuse_nulls(path, name, values)
    return _numbers(values).reshape(len(column), lengths[0] if lengths else 0)


def read_numbers(column: pa.Array) -> NDArray[Any]:
    """A key column as an array; cells without a number are NaN."""
    column = _decode(column)
    if not is_number(column.type):
        return np.asarray(column.to_pylist(), dtype=object)
    return _numbers(column)


def read_names(column: pa.Array) -> Sequence[Any]:
    """A column of samples as text, where it holds text, categories or integers."""
    column = _decode(column)
    values: list[Any] = column.to_pylist()
    return [str(v) for v in values] if pa.types.is_integer(column.type) else values


def _index_columns(schema: pa.Schema) -> set[str]:
    described = (schema.pandas_metadata or {}).get("index_columns", [])
    named = {name for name in described if isinstance(name, str)}
    return named | {name for name in schema.names if _INDEX.fullmatch(name)}


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type without the extension or dictionary around it."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def _decode(column: pa.Array) -> pa.Array:
    while True:
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        elif pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        else:
            return column


def _numbers(column: pa.Array) -> NDArray[Any]:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _refuse_nulls(path: Path, name: str, column: pa.Array) -> None:
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise SampleError(
            f"{path}: column {name} has empty cells, such as number {row} (from 0) of a block: "
            "write a number into every cell"
        )

"""Parquet tables as pandas, polars and others write them, and such as no numbers fit."""

from contextlib import suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from circumplex.errors import SampleError
from circumplex.features.imports import files, parquet_file
from circumplex.features.imports.files import open_feature

FRAMES, DIMENSION = 30, 3
VALUES = (np.arange(FRAMES * DIMENSION).reshape(FRAMES, DIMENSION) / 8).astype(np.float32)
WIDE = pd.DataFrame(VALUES, columns=list("abc"))
LISTS = VALUES.tolist()


def decimals(values):
    return pa.array(values).cast(pa.decimal128(12, 4))


def tensor():
    kind = pa.fixed_shape_tensor(pa.float32(), (DIMENSION,))
    storage = pa.FixedSizeListArray.from_arrays(pa.array(VALUES.ravel()), DIMENSION)
    return pa.ExtensionArray.from_storage(kind, storage)


ONE_SAMPLE = {
    "list of another name": pa.table({"frame": range(FRAMES), "embedding": LISTS}),
    "large list": pa.table({"gaze": pa.array(LISTS, pa.large_list(pa.float32()))}),
    "large list of another name": pa.table({"e": pa.array(LISTS, pa.large_list(pa.float32()))}),
    "fixed list": pa.table({"gaze": pa.array(LISTS, pa.list_(pa.float64(), DIMENSION))}),
    "half precision": pa.table(
        {"gaze": pa.array(VALUES.astype("f2").tolist(), pa.list_(pa.float16()))}
    ),
    "tensor": pa.table({"gaze": tensor()}),
    "wide": pa.Table.from_pandas(WIDE),
    "wide beside text": pa.Table.from_pandas(WIDE.assign(file="x.jpg")),
    "dotted names": pa.Table.from_pandas(WIDE.rename(columns=lambda name: f"v.{name}")),
    "index kept": pa.Table.from_pandas(WIDE.set_index(pd.Index(np.arange(FRAMES) ** 2))),
    "named index": pa.Table.from_pandas(WIDE.set_index(pd.Index(range(FRAMES), name="row"))),
    "index without pandas": pa.table({**WIDE, "__index_level_0__": range(FRAMES)}),
    "frame as index": pa.Table.from_pandas(WIDE.set_index(pd.Index(range(FRAMES), name="frame"))),
    "nullable": pa.Table.from_pandas(WIDE.astype("Float32")),
    "categories": pa.Table.from_pandas(WIDE.astype("category")),
    "decimals": pa.table({name: decimals(WIDE[name]) for name in WIDE}),
    "integer frames": pa.Table.from_pandas(WIDE.assign(frame=np.arange(FRAMES, dtype="u8"))),
    "nullable frames": pa.Table.from_pandas(WIDE.assign(frame=pd.array(range(FRAMES), "Int32"))),
    "named sample": pa.Table.from_pandas(WIDE.assign(sample="101")),
    "category of sample": pa.Table.from_pandas(
        WIDE.assign(sample=pd.Categorical(["101"] * FRAMES))
    ),
    "integer sample": pa.Table.from_pandas(WIDE.assign(sample=101)),
    "times": pa.Table.from_pandas(WIDE.assign(time_s=np.arange(FRAMES) / 25)),
}


@pytest.mark.parametrize("table", ONE_SAMPLE.values(), ids=ONE_SAMPLE)
@pytest.mark.parametrize("group", [None, 7])
def test_forms_of_one_sample(folder, take, table, group):
    pq.write_table(table, folder / "101.parquet", row_group_size=group)
    values = take(folder, FRAMES, DIMENSION, "101")
    tolerance = 1e-4 if "decimal" in str(table.schema) else 0
    np.testing.assert_allclose(values, VALUES, atol=tolerance, rtol=0)


def whole(sample=lambda names: names):
    both = pd.concat([WIDE.assign(sample=name, frame=range(FRAMES)) for name in ("101", "102")])
    both = both.reset_index(drop=True)
    return both.assign(sample=sample(both["sample"]))


ALL_SAMPLES = {
    "text": pa.Table.from_pandas(whole()),
    "large text": pa.Table.from_pandas(whole()).cast(
        pa.schema(
            [
                *[(name, pa.float32()) for name in "abc"],
                ("sample", pa.large_string()),
                ("frame", pa.int64()),
            ]
        )
    ),
    "categories": pa.Table.from_pandas(whole(lambda names: names.astype("category"))),
    "integers": pa.Table.from_pandas(whole(lambda names: names.astype(int))),
    "small integers": pa.Table.from_pandas(whole(lambda names: names.astype("int16"))),
    "index kept": pa.Table.from_pandas(whole().set_index(pd.Index(np.arange(2 * FRAMES) ** 2))),
    "both as index": pa.Table.from_pandas(whole().set_index(["sample", "frame"])),
    "large lists": pa.table(
        {
            "sample": ["101"] * FRAMES + ["102"] * FRAMES,
            "frame": [*range(FRAMES)] * 2,
            "emb": pa.array(LISTS * 2, pa.large_list(pa.float32())),
        }
    ),
}


@pytest.mark.parametrize("table", ALL_SAMPLES.values(), ids=ALL_SAMPLES)
@pytest.mark.parametrize("sample", ["101", "102"])
def test_forms_of_all_samples(folder, take, table, sample):
    pq.write_table(table, folder / "all.parquet", row_group_size=11)
    np.testing.assert_array_equal(take(folder / "all.parquet", FRAMES, DIMENSION, sample), VALUES)


def test_a_sample_that_integers_cannot_name(folder, take):
    pq.write_table(ALL_SAMPLES["integers"], folder / "all.parquet")
    with pytest.raises(SampleError, match=r"no row of this sample in its column sample, .*int64"):
        take(folder / "all.parquet", FRAMES, DIMENSION, "0101")


def test_one_sample_with_other_vectors_fails_alone(folder, take):
    lists = [*LISTS, *[[1.0, 2.0]] * FRAMES]
    table = pa.table({"sample": ["101"] * FRAMES + ["102"] * FRAMES, "emb": lists})
    pq.write_table(table, folder / "all.parquet")
    np.testing.assert_array_equal(take(folder / "all.parquet", FRAMES, DIMENSION, "101"), VALUES)
    with pytest.raises(SampleError, match="has 2 values per frame, expected 3 of gaze"):
        take(folder / "all.parquet", FRAMES, DIMENSION, "102")


REFUSED = {
    "lists of structs": (
        pa.table({"gaze": [[{"x": 1.0}]] * FRAMES}),
        r"column gaze holds list<.*struct",
    ),
    "lists of lists": (pa.table({"gaze": [[[1.0, 2.0, 3.0]]] * FRAMES}), "column gaze holds list<"),
    "structs alone": (
        pa.table({"e": [{"x": 1.0}] * FRAMES}),
        r"name the column of gaze 'gaze', .*e \(struct",
    ),
    "text": (pa.table({"gaze": ["x"] * FRAMES}), "column gaze holds string: write numbers"),
    "times of day": (
        pa.table({"gaze": pa.array([0] * FRAMES, pa.time32("s"))}),
        "column gaze holds time32",
    ),
    "two vectors": (pa.table({"e": LISTS, "f": LISTS}), "name the column of gaze 'gaze'"),
    "null": (pa.table({"gaze": [*LISTS[:-1], None]}), "gaze"),
    "null value": (
        pa.table({"gaze": [*LISTS[:-1], [1.0, None, 2.0]]}),
        "column gaze has empty cells",
    ),
    "nullable": (
        pa.Table.from_pandas(WIDE.astype("Float32").mask(WIDE > 9)),
        "column . has empty cells",
    ),
    "ragged": (
        pa.table({"gaze": [*LISTS[:-2], [1.0], [1.0] * 5]}),
        r"vectors of \[1, 3, 5\] values",
    ),
    "ragged by one": (pa.table({"gaze": [*LISTS[:-1], [1.0]]}), r"vectors of \[1, 3\] values"),
    "frame of text": (
        pa.table({"gaze": LISTS, "frame": list(map(str, range(FRAMES)))}),
        "must count 0, 1, 2",
    ),
    "no frame": (
        pa.table({"gaze": LISTS, "frame": [*range(FRAMES - 1), None]}),
        "must count 0, 1, 2",
    ),
    "frame from 1": (pa.table({"gaze": LISTS, "Frame": range(1, FRAMES + 1)}), "has 1 in row 0"),
    "another sample": (
        pa.table({"gaze": LISTS, "sample": ["101"] * 29 + ["102"]}),
        "'102' in row 29",
    ),
    "no sample": (pa.table({"gaze": LISTS, "sample": ["101"] * 29 + [None]}), "None in row 29"),
    "other times": (
        pa.table({"gaze": LISTS, "time_s": np.arange(FRAMES) / 30}),
        "column time_s has",
    ),
    "times of text": (pa.table({"gaze": LISTS, "time_s": ["0"] * FRAMES}), "column time_s has '0'"),
    "two frames": (
        pa.table({"gaze": LISTS, "Frame": range(FRAMES), "frame": range(FRAMES)}),
        "both stand",
    ),
    "twice": (pa.table([pa.array(VALUES[:, 0])] * 2, ["gaze", "gaze"]), "duplicate field names"),
}


@pytest.mark.parametrize(("table", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_why(folder, take, table, message):
    pq.write_table(table, folder / "101.parquet", row_group_size=20)
    with pytest.raises(SampleError, match=message) as caught:
        take(folder, FRAMES, DIMENSION, "101")
    assert "101.parquet" in str(caught.value)


def test_samples_by_a_number_with_a_point(folder, take):
    pq.write_table(
        pa.Table.from_pandas(whole(lambda names: names.astype(float))), folder / "a.parquet"
    )
    with pytest.raises(SampleError, match="column sample holds double: write the samples' names"):
        take(folder / "a.parquet", FRAMES, DIMENSION, "101")


@pytest.fixture
def unread(monkeypatch):
    """Reading of values is an error: sizes must be refused before."""

    def fail(*_):
        raise AssertionError("values were read")

    monkeypatch.setattr(parquet_file, "_read_batch", fail)


BOMBS = {
    "many values in each list": (
        lambda: {
            "gaze": pa.FixedSizeListArray.from_arrays(
                pa.array(np.zeros(30 * 100_000, "f4")), 100_000
            )
        },
        "has 100000 values per frame, expected 3",
    ),
    "one long list": (
        lambda: {"gaze": pa.array([np.zeros(3_000_001, "f4"), *[[0.0] * 3] * 29])},
        "column gaze has 3000088 values in 30 rows, expected at most 3 per row",
    ),
    "many columns": (
        lambda: {f"v{k}": np.zeros(30, "f4") for k in range(2000)},
        "has 2000 values per frame, expected 3",
    ),
    "many rows": (
        lambda: {"gaze": pa.array(np.zeros(20_000_000, "f4"))},
        "20000000 rows, and 10000000 are",
    ),
    "long names": (
        lambda: {"gaze": LISTS, "sample": ["s" * 10_000_000] * 30},
        "column sample takes 1.* bytes for 30 values",
    ),
}


@pytest.mark.parametrize(("columns", "message"), BOMBS.values(), ids=BOMBS)
@pytest.mark.usefixtures("unread")
def test_sizes_are_refused_before_anything_is_read(folder, take, columns, message):
    path = folder / "101.parquet"
    pq.write_table(pa.table(columns()), path, compression="zstd")
    with pytest.raises(SampleError, match=message):
        take(folder, FRAMES, DIMENSION, "101")


def test_rows_of_all_samples_are_limited_before_they_are_searched(folder, monkeypatch):
    monkeypatch.setattr(parquet_file, "MOST_ROWS_OF_ALL", 59)
    pq.write_table(ALL_SAMPLES["text"], folder / "all.parquet")
    with pytest.raises(SampleError, match="has 60 rows, and 59 are the most"):
        open_feature(folder / "all.parquet", "gaze", "101")


def test_wide_vectors_are_read_in_small_blocks(folder, take, monkeypatch):
    monkeypatch.setattr("circumplex.features.imports.feature_file.VALUES_PER_BLOCK", 8)
    seen = []
    check = files.finite_values
    monkeypatch.setattr(
        files, "finite_values", lambda *a: seen.append(len(a[-1].values)) or check(*a)
    )
    pq.write_table(ONE_SAMPLE["large list"], folder / "101.parquet")
    np.testing.assert_array_equal(take(folder, FRAMES, DIMENSION, "101"), VALUES)
    assert max(seen) == 2


def test_damage_anywhere_is_an_error_of_the_sample(folder, take):
    path = folder / "101.parquet"
    pq.write_table(ONE_SAMPLE["large list"], path, compression="zstd")
    whole = path.read_bytes()
    places = range(4, len(whole), 37)
    read = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with suppress(SampleError):
            assert take(folder, FRAMES, DIMENSION, "101").shape == VALUES.shape
            read += 1
    assert read < len(places)

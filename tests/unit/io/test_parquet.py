import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from circumplex.io import parquet as module
from circumplex.io.atomic import link, read_json, replacing, write_json, write_text
from circumplex.io.parquet import (
    TableWriter,
    count_rows,
    frame_schema,
    interval_schema,
    iter_batches,
    read_columns,
    read_metadata,
    to_numpy,
    vector_field,
)

SCHEMA = frame_schema(vector_field("v", 3))


def rows_of(begin, end):
    frame = np.arange(begin, end, dtype=np.int32)
    return {"frame": frame, "time_s": frame / 25, "v": np.outer(frame, [1, 2, 3])}


def write_pieces(path, pieces, metadata=None):
    with TableWriter(path, SCHEMA, metadata or {}) as table:
        for begin, end in pieces:
            table.write(**rows_of(begin, end))
    return path


@pytest.mark.parametrize("cuts", [[0], [0, 1], [0, 7, 7, 1023, 1024, 3000], [0, 5000], [0, 0, 4]])
def test_pieces_round_trip(tmp_path, cuts):
    path = write_pieces(tmp_path / "new" / "t.parquet", pairwise(cuts))
    frame, time_s, v = read_columns(path, ["frame", "time_s", "v"])
    expected = rows_of(0, cuts[-1])
    np.testing.assert_array_equal(frame, expected["frame"])
    np.testing.assert_array_equal(time_s, expected["time_s"])
    np.testing.assert_array_equal(v, expected["v"].reshape(-1, 3))
    assert (frame.dtype, time_s.dtype, v.dtype) == (np.int32, np.float64, np.float32)
    assert count_rows(path) == cuts[-1]
    assert list(path.parent.iterdir()) == [path]


def test_any_reader_sees_a_named_vector_column(tmp_path):
    write_pieces(tmp_path / "t.parquet", [(0, 2)], {"extractor": "é", "n": [1, None]})
    plain = pq.read_table(tmp_path / "t.parquet")
    assert plain.schema.field("v").type == pa.list_(pa.float32(), 3)
    assert plain.to_pylist()[1] == {"frame": 1, "time_s": 0.04, "v": [1, 2, 3]}
    assert json.loads(plain.schema.metadata[b"circumplex"]) == {"extractor": "é", "n": [1, None]}
    assert read_metadata(tmp_path / "t.parquet") == {"extractor": "é", "n": [1, None]}
    assert (
        pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0).column(0).compression == "ZSTD"
    )
    pq.write_table(plain.replace_schema_metadata(None), tmp_path / "bare.parquet")
    assert read_metadata(tmp_path / "bare.parquet") == {}


def test_row_groups_end_where_asked_and_do_not_grow(tmp_path):
    with TableWriter(tmp_path / "t.parquet", SCHEMA, {}) as table:
        table.end_group()
        for begin in range(0, 5000, 10):
            table.write(**rows_of(begin, begin + 10))
            assert table._pending_rows < module.ROWS_PER_GROUP
        table.end_group()
        table.end_group()
        table.write(**rows_of(5000, 5001))
        assert table.rows == 5001
    footer = pq.read_metadata(tmp_path / "t.parquet")
    sizes = [footer.row_group(g).num_rows for g in range(footer.num_row_groups)]
    assert sizes == [1030, 1030, 1030, 1030, 880, 1]


def test_memory_does_not_grow_with_a_table_of_crops(tmp_path):
    path, megabyte = tmp_path / "t.parquet", 2**20
    schema = frame_schema(pa.field("crop", pa.binary()))
    crops = [np.random.default_rng(k).bytes(megabyte // 64) for k in range(64)]
    before = pa.total_allocated_bytes()
    with TableWriter(path, schema, {}) as table:
        for k in range(64):
            table.write(frame=range(64 * k, 64 * (k + 1)), time_s=[0.0] * 64, crop=crops)
            assert pa.total_allocated_bytes() - before < 6 * megabyte
    assert path.stat().st_size > 60 * megabyte
    rows = 0
    for batch in iter_batches(path, ["frame", "crop"], rows=16):
        rows += batch.num_rows
        assert pa.total_allocated_bytes() - before < 6 * megabyte
    assert rows == 64 * 64


@pytest.mark.parametrize("rows", [1, 3, 1000, 4096])
def test_batches_are_the_whole_table(tmp_path, rows):
    path = write_pieces(tmp_path / "t.parquet", [(0, 1500), (1500, 2500)])
    batches = list(iter_batches(path, ["v", "frame"], rows))
    assert max(b.num_rows for b in batches) <= rows
    v = np.concatenate([to_numpy(b.column(0)) for b in batches])
    np.testing.assert_array_equal(v, rows_of(0, 2500)["v"])


def test_slices_and_no_rows_as_arrays(tmp_path):
    path = write_pieces(tmp_path / "t.parquet", [(0, 10)])
    column = pq.read_table(path)["v"]
    np.testing.assert_array_equal(to_numpy(column.slice(3, 4)), rows_of(3, 7)["v"])
    np.testing.assert_array_equal(to_numpy(column.chunk(0).slice(3, 4)), rows_of(3, 7)["v"])
    assert to_numpy(column.slice(0, 0)).shape == (0, 3)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_appears_after_an_error_and_the_old_file_stays(tmp_path, error):
    path = write_pieces(tmp_path / "t.parquet", [(0, 4)])
    before = path.read_bytes()

    def fail():
        with TableWriter(path, SCHEMA, {}) as table:
            table.write(**rows_of(0, 3000))
            assert path.read_bytes() == before
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"v": np.zeros((2, 4))}, ValueError),
        ({"v": np.zeros((3, 2))}, ValueError),
        ({"v": np.zeros(6)}, ValueError),
        ({"v": np.zeros((3, 3))}, (ValueError, pa.ArrowInvalid)),
        ({"frame": np.arange(3)}, (ValueError, pa.ArrowInvalid)),
        ({"other": [1, 2]}, ValueError),
        ({"frame": None}, KeyError),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path, change, error):
    columns = {k: v for k, v in {**rows_of(0, 2), **change}.items() if v is not None}
    with pytest.raises(error), TableWriter(tmp_path / "t.parquet", SCHEMA, {}) as table:
        table.write(**columns)
    assert list(tmp_path.iterdir()) == []


def test_equal_rows_are_equal_bytes(tmp_path):
    first = write_pieces(tmp_path / "a.parquet", [(0, 10), (10, 2000)], {"a": 1, "b": 2})
    second = write_pieces(tmp_path / "b.parquet", [(0, 10), (10, 2000)], {"b": 2, "a": 1})
    assert first.read_bytes() == second.read_bytes()


def test_interval_keys():
    assert interval_schema(vector_field("v", 1)).names == ["start_s", "end_s", "v"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_replacing_leaves_the_old_file_or_the_whole_new_one(tmp_path, error):
    path = tmp_path / "new" / "a.mp4"
    with replacing(path) as temporary:
        assert temporary.suffix == ".mp4"
        temporary.write_text("one")
        assert not path.exists()

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "one"


def test_json_and_text(tmp_path):
    write_json(tmp_path / "a.json", {"b": "é", "a": [1.5, None]})
    assert read_json(tmp_path / "a.json") == {"a": [1.5, None], "b": "é"}
    write_json(tmp_path / "b.json", {"a": [1.5, None], "b": "é"})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert "é" in (tmp_path / "a.json").read_text(encoding="utf-8")
    write_text(tmp_path / "t.txt", "é\n")
    assert (tmp_path / "t.txt").read_bytes() == "é\n".encode()


def test_links_are_relative_and_replaced(tmp_path):
    for name in ("one", "two"):
        write_text(tmp_path / "store" / name, name)
        link(tmp_path / "deep" / "er" / "link", tmp_path / "store" / name)
    assert (tmp_path / "deep" / "er" / "link").read_text() == "two"
    assert str((tmp_path / "deep" / "er" / "link").readlink()) == "../../store/two"
    write_text(tmp_path / "file", "plain")
    link(tmp_path / "file", tmp_path / "store" / "one")
    assert (tmp_path / "file").read_text() == "one"
    assert (tmp_path / "store" / "one").read_text() == "one"


def test_values_take_no_more_room_than_they_have(tmp_path):
    values = np.random.default_rng(0).standard_normal((400, 512)).astype(np.float32)
    with TableWriter(tmp_path / "t.parquet", frame_schema(vector_field("v", 512)), {}) as table:
        table.write(frame=np.arange(400, dtype=np.int32), time_s=np.arange(400) / 25, v=values)
    assert (tmp_path / "t.parquet").stat().st_size < 1.05 * values.nbytes

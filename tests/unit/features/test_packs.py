import hashlib

import numpy as np
import pytest

from circumplex.config.modalities import Framing
from circumplex.features import packs
from circumplex.features.framing import frame_edges, range_means, row_ranges
from circumplex.features.pack_reader import PackReader
from circumplex.features.packs import PackedSample, aligned_blocks, index_paths, pack_features
from circumplex.io.atomic import read_json
from circumplex.io.parquet import TableWriter, frame_schema, interval_schema, vector_field

DRAW = np.random.default_rng(0)


class Shard:
    """Timelines and features of a shard's samples, and their pack."""

    def __init__(self, folder):
        self.folder = folder
        self.samples = {}

    def add(self, name, frames, values=None):
        """A sample and its visual feature (rows, d)."""
        timeline = self.folder / f"{name}.timeline.parquet"
        with TableWriter(timeline, frame_schema(), {}) as table:
            table.write(frame=np.arange(frames), time_s=np.arange(frames) / 25)
        features = None
        if values is not None:
            features = self.folder / f"{name}.parquet"
            schema = frame_schema(vector_field("f", values.shape[1]))
            with TableWriter(features, schema, {}) as table:
                keys = np.arange(len(values))
                table.write(frame=keys, time_s=keys / 25, f=values)
        self.samples[name] = PackedSample(timeline, features)

    def add_sound(self, name, frames, values, step=0.01):
        """A sample with an audio feature (rows, d), a row each ``step`` seconds."""
        self.add(name, frames)
        features = self.folder / f"{name}.audio.parquet"
        starts = np.arange(len(values)) * step
        schema = interval_schema(vector_field("f", values.shape[1]))
        with TableWriter(features, schema, {}) as table:
            for begin in range(0, len(values), 100):
                part = slice(begin, begin + 100)
                start_s, v = starts[part], values[part]
                table.write(start_s=start_s, end_s=start_s + step, f=v)
        self.samples[name] = PackedSample(self.samples[name].timeline, features)

    def pack(self, framing=None, dimension=3, dtype="float32"):
        paths = self.folder / "f" / "s.npy", self.folder / "f" / "s.json"
        pack_features(self.samples, "f", framing, *paths, dimension=dimension, dtype=dtype)
        return np.load(paths[0], mmap_mode="r", allow_pickle=False), read_json(paths[1])


@pytest.fixture
def shard(tmp_path):
    return Shard(tmp_path)


def values_of(rows, dimension=3):
    return DRAW.normal(size=(rows, dimension)).astype(np.float32)


def test_layout(shard):
    b, a, long = values_of(4), values_of(1), values_of(2500)
    shard.add("b", 4, b)
    shard.add("long", 2500, long)
    shard.add("a", 1, a)
    array, index = shard.pack()
    np.testing.assert_array_equal(array, np.concatenate([a, b, long]))
    assert (index["feature"], index["dimension"], index["dtype"]) == ("f", 3, "float32")
    expected = {"a": (0, 1, a), "b": (1, 4, b), "long": (5, 2500, long)}
    assert list(index["samples"]) == sorted(expected)
    for name, (start, frames, values) in expected.items():
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        entry = {"start": start, "frames": frames, "present": True, "sha256": digest}
        assert index["samples"][name] == entry


def test_another_sample_moves_rows_but_not_digests(shard):
    shard.add("b", 4, values_of(4))
    before = shard.pack()[1]["samples"]["b"]
    shard.add("a", 7, values_of(7))
    after = shard.pack()[1]["samples"]["b"]
    assert after == {**before, "start": 7}


@pytest.mark.parametrize("framing", [None, *Framing])
def test_an_absent_modality_is_zeros(shard, framing):
    shard.add("a", 5000)
    array, index = shard.pack(framing)
    assert array.shape == (5000, 3)
    assert not array.any()
    assert index["samples"]["a"]["present"] is False
    assert index["samples"]["a"]["frames"] == 5000


@pytest.mark.parametrize("rows", [0, 3, 5])
def test_another_number_of_frames_is_a_bug(shard, rows):
    shard.add("a", 4, values_of(rows))
    with pytest.raises(ValueError, match=f"a: f has {rows} frames, the video 4"):
        shard.pack()
    assert not list(shard.folder.glob("f/*"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("framing", [None, Framing.MEAN])
def test_a_value_that_is_not_finite_is_a_bug(shard, bad, framing):
    values = values_of(40)
    values[39, 2] = bad
    if framing is None:
        shard.add("a", 40, values)
    else:
        shard.add_sound("a", 40, values)
    with pytest.raises(ValueError, match="a: f holds values that are not finite"):
        shard.pack(framing)
    assert not list(shard.folder.glob("f/*"))


def test_another_dimension_is_a_bug(shard):
    shard.add("a", 4, values_of(4, dimension=2))
    with pytest.raises(ValueError, match="a: f has 2 values per frame, expected 3"):
        shard.pack()


def test_float16(shard):
    values = values_of(100)
    shard.add("a", 100, values)
    array, index = shard.pack(dtype="float16")
    assert array.dtype == np.float16
    np.testing.assert_array_equal(array, values.astype(np.float16))
    digest = hashlib.sha256(values.astype(np.float16).tobytes()).hexdigest()
    assert index["samples"]["a"]["sha256"] == digest


def test_what_float16_cannot_hold_is_refused_not_made_infinite(shard):
    shard.add("a", 2, np.array([[1, 2, 3], [1, 65536, 3]]))
    with pytest.raises(ValueError, match="float16"):
        shard.pack(dtype="float16")
    assert shard.pack()[0][1, 1] == 65536


def test_no_samples_at_all(shard):
    array, index = shard.pack()
    assert array.shape == (0, 3)
    assert index["samples"] == {}
    reader = PackReader({"f": [shard.folder / "f" / "s.json"]})
    assert reader.dimension("f") == 3
    assert not reader.packed("a", ["f"])


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("per_block", [1, 7, 4096])
@pytest.mark.parametrize(
    ("frames", "rows", "step"), [(300, 1205, 0.01), (300, 700, 0.01), (1, 3, 0.01), (80, 4, 0.96)]
)
def test_blocks_are_the_whole_table(shard, monkeypatch, framing, per_block, frames, rows, step):
    """Blocks of frames over row groups of the sound: as if all was read at once."""
    monkeypatch.setattr(packs, "FRAMES_PER_BLOCK", per_block)
    monkeypatch.setattr("circumplex.io.parquet.ROWS_PER_GROUP", 100)
    values = values_of(rows)
    shard.add_sound("a", frames, values, step)
    time_s = np.arange(frames) / 25
    blocks = list(aligned_blocks(shard.samples["a"].features, "f", time_s, framing))
    assert max(len(block) for block in blocks) <= per_block
    starts = np.arange(rows) * step
    ranges = row_ranges(frame_edges(time_s), (starts + (starts + step)) / 2, framing)
    whole = range_means(values, *ranges)
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    array, index = shard.pack(framing)
    np.testing.assert_array_equal(array, whole)
    assert index["samples"]["a"]["present"] is True


def test_paths_of_indexes():
    found = index_paths(["r/f/1.json", "r/f/1.npy", "r/g/1.json", "r/f/2.npy", "r/f/2.json"])
    assert {name: [str(p) for p in paths] for name, paths in found.items()} == {
        "f": ["r/f/1.json", "r/f/2.json"],
        "g": ["r/g/1.json"],
    }
    assert index_paths([]) == {}

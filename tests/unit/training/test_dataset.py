import numpy as np
import pytest

from circumplex.errors import RequestError
from circumplex.features.pack_reader import BLOCK, PackReader
from circumplex.model.normalisation import Scaling
from circumplex.training.dataset import LabelReader, SegmentLoader
from circumplex.training.segments import Segment
from synthetic_data import SyntheticData, write_labels, write_pack

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_rows_of_a_sample_come_from_its_shard(tmp_path, dtype):
    x = {
        name: DRAW.normal(size=(n, 3)).astype(dtype)
        for name, n in zip("abc", (4, 1, 6), strict=True)
    }
    shards = [
        write_pack(tmp_path / "0", "f", {"a": x["a"], "b": x["b"]}, {}),
        write_pack(tmp_path / "1", "f", {"c": x["c"]}, {}),
    ]
    reader = PackReader({"f": shards})
    for name, values in x.items():
        assert reader.frames(name) == len(values)
        rows = reader.features(name, "f", 0, len(values))
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, values.astype(np.float32))
    np.testing.assert_array_equal(reader.features("c", "f", 2, 4), x["c"][2:4])
    assert reader.dimension("f") == 3


def test_float32_rows_are_mapped_not_copied(tmp_path):
    reader = PackReader({"f": [write_pack(tmp_path, "f", {"a": np.ones((4, 3), "f4")}, {})]})
    rows = reader.features("a", "f", 1, 3)
    assert rows.base is not None
    assert not rows.flags.writeable


def test_blocks_cover_a_sample(tmp_path):
    values = DRAW.normal(size=(BLOCK + 5, 2)).astype(np.float32)
    reader = PackReader({"f": [write_pack(tmp_path, "f", {"z": values[:3], "a": values}, {})]})
    blocks = list(reader.blocks("a", "f"))
    assert [len(b) for b in blocks] == [BLOCK, 5]
    np.testing.assert_array_equal(np.concatenate(blocks), values)


def test_reader_refusals(tmp_path):
    first = write_pack(tmp_path / "0", "f", {"a": np.ones((4, 3), "f4")}, {})
    wide = write_pack(tmp_path / "1", "f", {"b": np.ones((4, 5), "f4")}, {})
    other = write_pack(tmp_path / "2", "g", {"a": np.ones((9, 3), "f4")}, {})
    with pytest.raises(RequestError, match="3 and 5 dimensions"):
        PackReader({"f": [first, wide]})
    with pytest.raises(RequestError, match="two packs"):
        PackReader({"f": [first, first]})
    reader = PackReader({"f": [first], "g": [other]})
    with pytest.raises(RequestError, match="different numbers of frames"):
        reader.frames("a")
    with pytest.raises(RequestError, match="no pack"):
        reader.frames("nobody")
    with pytest.raises(RequestError, match="not in the packs of f"):
        reader.features("nobody", "f", 0, 1)
    with pytest.raises(RequestError, match="no pack of feature 'h'; packed: f, g"):
        reader.dimension("h")
    with pytest.raises(ValueError, match="has 4 frames"):
        reader.features("a", "f", 2, 5)


def test_an_array_shorter_than_its_index_is_noticed(tmp_path):
    index = write_pack(tmp_path, "f", {"a": np.ones((4, 3), "f4")}, {})
    np.save(index.with_suffix(".npy"), np.ones((2, 3), "f4"))
    with pytest.raises(ValueError, match="shorter"):
        PackReader({"f": [index]}).features("a", "f", 0, 4)


def test_labels_are_nan_where_a_target_is_not_annotated(tmp_path):
    values = {
        name: DRAW.uniform(-1, 1, size=(n, 2)).astype("f4") for name, n in (("a", 5), ("b", 1))
    }
    values["a"][3, 0] = np.nan
    values["a"][1] = np.nan
    reader = LabelReader({n: write_labels(tmp_path / f"{n}.parquet", v) for n, v in values.items()})
    assert (reader.frames("a"), reader.frames("b")) == (5, 1)
    np.testing.assert_array_equal(reader.values("a"), values["a"])
    np.testing.assert_array_equal(reader.values("a", 2, 4), values["a"][2:4])
    np.testing.assert_array_equal(reader.values("b"), values["b"])


def test_batch_concatenates_scales_pads_and_masks(tmp_path):
    corpus = SyntheticData(tmp_path, {"a": 9, "b": 7})
    corpus.features["voice"]["b"] = None
    reader, labels = corpus.readers()
    shift = Scaling(np.full(6, 3, "f4"), np.full(6, 0.5, "f4"))
    loader = SegmentLoader(reader, {"voice": shift, "face": None}, labels)
    batch = loader.load([Segment("a", 2, 7), Segment("b", 4, 7)])
    assert batch.features.shape == (2, 5, 12)
    np.testing.assert_array_equal(batch.lengths, [5, 3])
    voice = (corpus.features["voice"]["a"][2:7] - 3) * 0.5
    np.testing.assert_allclose(batch.features[0, :, :6], voice, rtol=1e-6)
    np.testing.assert_array_equal(batch.features[0, :, 6:], corpus.features["face"]["a"][2:7])
    # Absent: zero after scaling too, not (0 - mean) * scale. Padded: zero.
    np.testing.assert_array_equal(batch.features[1, :, :6], 0)
    np.testing.assert_array_equal(batch.features[1, :3, 6:], corpus.features["face"]["b"][4:7])
    np.testing.assert_array_equal(batch.features[1, 3:], 0)
    np.testing.assert_array_equal(batch.targets[0], corpus.labels["a"][2:7])
    np.testing.assert_array_equal(batch.targets[1, :3], corpus.labels["b"][4:7])
    assert np.isnan(batch.targets[1, 3:]).all()


def test_flags_say_which_features_are_absent(tmp_path):
    corpus = SyntheticData(tmp_path, {"a": 9, "b": 7, "c": 4})
    corpus.features["voice"]["b"] = None
    corpus.features["face"]["c"] = None
    reader, _ = corpus.readers()
    loader = SegmentLoader(reader, {"face": None, "voice": None}, flagged=True)
    assert (loader.dimension, loader.flags) == (12, 2)
    batch = loader.load([Segment("a", 0, 5), Segment("b", 4, 7), Segment("c", 1, 4)])
    expected = np.zeros((3, 5, 2))
    expected[1, :3, 1] = 1
    expected[2, :3, 0] = 1
    np.testing.assert_array_equal(batch.features[:, :, 12:], expected)
    plain = SegmentLoader(reader, {"face": None, "voice": None})
    assert (plain.dimension, plain.flags) == (12, 0)
    same = plain.load([Segment("a", 0, 5), Segment("b", 4, 7), Segment("c", 1, 4)])
    np.testing.assert_array_equal(batch.features[:, :, :12], same.features)


def test_rows_of_an_absent_modality_are_not_taken_for_zeros_that_were_extracted(tmp_path):
    zeros = np.zeros((3, 2), "f4")
    present = PackReader({"f": [write_pack(tmp_path / "0", "f", {"a": zeros, "b": zeros}, {})]})
    absent = {"a": None, "b": zeros}
    index = write_pack(tmp_path / "1", "f", absent, {"a": 3})
    assert PackReader({"f": [index]}).digest("a", "f") != present.digest("a", "f")
    assert PackReader({"f": [index]}).digest("b", "f") == present.digest("b", "f")
    assert not PackReader({"f": [index]}).complete("a", ["f"])
    assert present.complete("a", ["f"])


def test_the_defect_names_sample_feature_and_frame(tmp_path):
    corpus = SyntheticData(tmp_path, {"a": 9, "b": 7})
    corpus.features["voice"]["b"][5, 2] = np.inf
    reader, _ = corpus.readers()
    loader = SegmentLoader(reader, {"face": None, "voice": None})
    assert loader.describe_defect([Segment("a", 0, 9), Segment("b", 0, 5)]) is None
    assert loader.describe_defect([Segment("b", 4, 7)]) == "sample b, voice, frame 5"

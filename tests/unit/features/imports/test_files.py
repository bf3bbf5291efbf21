"""Features that users bring along, in every form; what is wrong names file and place."""

import re

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from circumplex.errors import SampleError
from circumplex.features.imports.feature_file import BLOCK
from circumplex.features.imports.files import import_features, open_feature
from circumplex.io.parquet import TableWriter, frame_schema, read_columns, vector_field
from circumplex.media.timeline import write_timeline

FRAMES, DIMENSION = BLOCK + 7, 3
VALUES = np.random.default_rng(0).normal(size=(FRAMES, DIMENSION)).astype(np.float32)


@pytest.fixture
def timeline(tmp_path):
    path = tmp_path / "timeline.parquet"
    with TableWriter(path, frame_schema(), {}) as table:
        table.write(frame=np.arange(FRAMES), time_s=np.arange(FRAMES) / 30)
    return path


def npy(root, values):
    np.save(root / "s.npy", values)
    return root


def half(root, values):
    np.save(root / "s.npy", values.astype(np.float64))
    return root


def plain_csv(root, values):
    np.savetxt(root / "s.csv", values, delimiter=",", fmt="%.9g")
    return root


def headed_csv(root, values):
    rows = np.column_stack([np.arange(len(values)), values])
    header = "frame," + ",".join(f"v{k}" for k in range(values.shape[1]))
    np.savetxt(root / "s.csv", rows, delimiter=",", fmt="%.9g", header=header, comments="")
    return root


def own_table(root, values):
    with TableWriter(
        root / "s.parquet", frame_schema(vector_field("fau", values.shape[1])), {}
    ) as table:
        frame = np.arange(len(values))
        table.write(frame=frame, time_s=frame / 30, fau=values)
    return root


def wide_parquet(root, values):
    columns = {f"v{k}": values[:, k] for k in range(values.shape[1])}
    pq.write_table(pa.table(columns), root / "s.parquet")
    return root


def parquet_of_all(root, values):
    rows = [*values.tolist(), *values[::-1].tolist()]
    frame = [*range(len(values)), *range(len(values))]
    sample = ["s"] * len(values) + ["t"] * len(values)
    table = pa.table({"sample": sample, "frame": frame, "embedding": rows})
    pq.write_table(table, root / "all.parquet", row_group_size=1000)
    return root / "all.parquet"


def one_hdf5(root, values):
    with h5py.File(root / "all.h5", "w") as file:
        file["s/fts"] = values
        file["t/fts"] = values[:2]
    return root / "all.h5"


def published(root, values, length=None):
    for folder in ("features/mean_std_on_trn", "targets"):
        (root / folder).mkdir(parents=True)
    with h5py.File(root / "features/val_FAU_situ.h5", "w") as file:
        file["t/fts"] = values[:2]
    with h5py.File(root / "features/train_FAU_situ.h5", "w") as file:
        file["s/fts"] = values
    with h5py.File(root / "targets/train_valid_targets.h5", "w") as file:
        file["s/length"] = len(values) if length is None else length
    with h5py.File(root / "features/mean_std_on_trn/FAU_situ.h5", "w") as file:
        file["train/mean"] = np.zeros(3)
    return root


FORMS = [
    *(npy, half, plain_csv, headed_csv, own_table, wide_parquet),
    *(parquet_of_all, one_hdf5, published),
]


@pytest.fixture
def run(tmp_path, timeline):
    def take(root, sample="s"):
        output = tmp_path / "out.parquet"
        import_features(
            root, "fau", sample, timeline, output, dimension=DIMENSION, metadata={"stage": "x"}
        )
        return read_columns(output, ["frame", "time_s", "fau"])

    return take


@pytest.fixture
def root(tmp_path):
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_table(root, run, form):
    frame, time_s, values = run(form(root, VALUES))
    np.testing.assert_array_equal(values, VALUES)
    np.testing.assert_array_equal(frame, np.arange(FRAMES))
    np.testing.assert_array_equal(time_s, np.arange(FRAMES) / 30)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda v: v[:-1], rf"{FRAMES - 1} rows of fau for {FRAMES} video frames"),
        (lambda v: v[:, :2], "has 2 values per frame, expected 3 of fau"),
        (
            lambda v: np.where(np.arange(FRAMES)[:, None] == BLOCK + 2, np.nan, v),
            rf"fau of frame {BLOCK + 2} \(from 0\) is not a finite number",
        ),
    ],
    ids=["length", "dimension", "nan"],
)
def test_what_is_wrong_names_the_file_and_the_place(root, run, tmp_path, form, damage, message):
    source = form(root, damage(VALUES))
    with pytest.raises(SampleError, match=message) as caught:
        run(source)
    named = re.search(r"\S+\.(npy|csv|parquet|h5)", str(caught.value))[0].rstrip(":")
    assert (tmp_path / named).is_file()
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("form", [parquet_of_all, one_hdf5, published, npy])
def test_a_missing_sample_is_an_error_of_that_sample(root, run, form):
    with pytest.raises(SampleError, match=r"own.*(no row of this sample|0 groups|none of gone)"):
        run(form(root, VALUES), "gone")


def test_lengths_that_disagree_with_the_targets(root, run):
    with pytest.raises(SampleError, match=r"FAU_situ.h5 has .*train_valid_targets.h5 says 5"):
        run(published(root, VALUES, length=5))


def test_a_sample_in_two_sets(root, run):
    published(root, VALUES)
    with h5py.File(root / "features/val_FAU_situ.h5", "a") as file:
        file["s/fts"] = VALUES
    with pytest.raises(SampleError, match=r"train_FAU.*val_FAU.*: 2 groups"):
        run(root)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.npy", b"\x93NUMPY", "s.npy cannot be read"),
        ("s.npy", b"", "s.npy cannot be read"),
        ("s.csv", b"\xff\xfe\x00", "s.csv is not a CSV text"),
        (
            "s.csv",
            "1.5,2,3\n" * (FRAMES - 1) + "1,2\n",
            rf"line {FRAMES} has 2 cells, line 1 has 3",
        ),
        ("s.csv", "1.5,2,3\n" * (FRAMES - 1) + "1,2,x\n", rf"s.csv, line {FRAMES}: .*'x'"),
        ("s.csv", "", "0 rows of fau"),
        ("s.parquet", b"PAR1", "s.parquet cannot be read"),
    ],
)
def test_broken_files(root, run, name, content, message):
    write(root / name, content)
    with pytest.raises(SampleError, match=message):
        run(root)


def test_pickled_arrays_and_wrong_shapes_are_refused(root, run):
    np.save(root / "s.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SampleError, match=r"s.npy cannot be read: .*Python objects"):
        run(root)
    np.save(root / "s.npy", np.zeros(FRAMES))
    with pytest.raises(SampleError, match=r"float64 of shape"):
        run(root)


def test_two_files_of_one_sample(root, run):
    plain_csv(npy(root, VALUES), VALUES)
    with pytest.raises(SampleError, match=r"s.npy and .*s.csv hold th"):
        run(root)


def test_frames_out_of_order(root, run):
    frame = np.arange(FRAMES)[::-1]
    pq.write_table(pa.table({"frame": frame, "fau": VALUES.tolist()}), root / "s.parquet")
    with pytest.raises(SampleError, match="must count 0, 1, 2"):
        run(root)


def test_a_value_beyond_float32(root, run):
    values = VALUES.astype(np.float64)
    values[5, 1] = 1e300
    with pytest.raises(SampleError, match="frame 5"):
        run(half(root, values))


def test_a_corrupt_hdf5(root, run):
    (root / "x.h5").write_bytes(b"\x89HDF")
    with pytest.raises(SampleError, match=r"x.h5 cannot be read"):
        run(root / "x.h5")


def test_a_timeline_for_samples_without_video(root, tmp_path):
    frames = open_feature(npy(root, VALUES[:7]), "fau", "s").rows
    write_timeline(frames, tmp_path / "t.parquet", fps=25.0, metadata={})
    frame, time_s = read_columns(tmp_path / "t.parquet", ["frame", "time_s"])
    np.testing.assert_array_equal(frame, np.arange(7))
    np.testing.assert_allclose(time_s, np.arange(7) * 0.04)
    np.save(root / "s.npy", VALUES[:0])
    with pytest.raises(SampleError, match="has no row"):
        write_timeline(
            open_feature(root, "fau", "s").rows, tmp_path / "t.parquet", fps=25.0, metadata={}
        )

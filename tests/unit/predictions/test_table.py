import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from circumplex.evaluation.ccc_table import CccTable
from circumplex.evaluation.scores import evaluate
from circumplex.io.parquet import read_metadata
from circumplex.predictions.table import PredictionTable, PredictionWriter

DRAW = np.random.default_rng(0)


def write(path, samples):
    with PredictionWriter(path, {"run": "x"}) as table:
        for name, values in samples.items():
            table.write(name, np.arange(len(values)) / 30, values)
    return PredictionTable(path)


def test_samples_in_any_order_and_of_any_length(tmp_path):
    lengths = {"z": 1, "a b": 3000, "é\"'": 1024, "視": 1025, "x" * 120: 2, "-": 7}
    samples = {n: DRAW.normal(size=(k, 2)).astype(np.float32) for n, k in lengths.items()}
    table = write(tmp_path / "p.parquet", samples)
    assert table.samples == list(lengths)
    for name in reversed(lengths):
        assert name in table
        np.testing.assert_array_equal(table.values(name), samples[name])
        np.testing.assert_array_equal(table.time_s(name), np.arange(lengths[name]) / 30)
    assert "b" not in table
    with pytest.raises(KeyError):
        table.values("b")
    assert read_metadata(tmp_path / "p.parquet") == {"run": "x"}
    plain = pq.read_table(tmp_path / "p.parquet")
    assert plain.column_names == ["sample", "frame", "time_s", "valence", "arousal"]
    assert plain["frame"].to_pylist()[-7:] == list(range(7))


def test_a_sample_longer_than_a_parquet_row_group(tmp_path):
    values = np.zeros((1024 * 1024 + 5, 2), dtype=np.float32)
    values[:, 0] = np.arange(len(values))
    table = write(tmp_path / "p.parquet", {"long": values, "short": values[:3]})
    np.testing.assert_array_equal(table.values("long"), values)
    assert len(table.time_s("long")) == len(values)
    assert len(table.values("short")) == 3


def test_no_samples(tmp_path):
    assert write(tmp_path / "p.parquet", {}).samples == []


@pytest.mark.parametrize("shape", [(3, 2), (4, 1), (4, 3), (4,)])
def test_values_of_another_shape_are_refused(tmp_path, shape):
    with (
        pytest.raises(ValueError, match="a: predictions"),
        PredictionWriter(tmp_path / "p.parquet", {}) as table,
    ):
        table.write("a", np.arange(4) / 30, np.zeros(shape))
    assert list(tmp_path.iterdir()) == []


def slow_ccc(x, y):
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def test_ccc_table(tmp_path):
    pairs = [(DRAW.normal(size=(k, 2)), DRAW.uniform(-1, 1, size=(k, 2))) for k in (5, 40, 1)]
    pairs[1][1][::3] = np.nan
    table = CccTable()
    model = "x/official/seed0"
    of_model = {"experiment": "x", "fold": "official", "seed": 0}
    table.add(evaluate(model, "val", pairs), kind="model", **of_model)
    table.add(evaluate("main, all", "test", pairs[:1]), kind="ensemble")
    paths = [tmp_path / f"ccc.{suffix}" for suffix in ("parquet", "csv", "md")]
    table.write(*paths)
    rows = pq.read_table(paths[0]).to_pylist()
    assert [(r["model"], r["split"], r["target"]) for r in rows] == [
        *((model, "val", t) for t in ("valence", "arousal")),
        *(("main, all", "test", t) for t in ("valence", "arousal")),
    ]
    predictions, annotation = (np.concatenate(part) for part in zip(*pairs, strict=True))
    valid = ~np.isnan(annotation[:, 0])
    for column in range(2):
        expected = slow_ccc(predictions[valid, column], annotation[valid, column])
        assert rows[column]["ccc"] == pytest.approx(expected, abs=1e-12)
        assert rows[column]["frames"] == valid.sum()
        assert rows[column]["samples"] == 3
    assert (rows[0]["experiment"], rows[0]["fold"], rows[0]["seed"]) == ("x", "official", 0)
    assert (rows[2]["experiment"], rows[2]["fold"], rows[2]["seed"]) == ("", "", -1)
    assert pyarrow.csv.read_csv(paths[1])["ccc"].to_pylist() == pytest.approx(
        [row["ccc"] for row in rows], abs=1e-12
    )
    mean = (rows[0]["ccc"] + rows[1]["ccc"]) / 2
    line = paths[2].read_text().splitlines()[2]
    assert line.startswith(f"| {model} | val | {rows[0]['ccc']:.3f} | {rows[1]['ccc']:.3f} |")
    by_clip = [f"{row['clip_ccc']:.3f}" for row in rows[:2]]
    assert line.endswith(f"| {mean:.3f} | 3 | {valid.sum()} | {' | '.join(by_clip)} |")
    assert paths[2].read_text().splitlines()[3].endswith("| – | – |"), "of one clip"


def test_an_empty_ccc_table_has_its_columns(tmp_path):
    paths = [tmp_path / f"ccc.{suffix}" for suffix in ("parquet", "csv", "md")]
    CccTable().write(*paths)
    assert pq.read_table(paths[0]).num_rows == 0
    assert paths[1].read_text().startswith('"kind","model"')
    assert paths[2].read_text().count("|---") == 9

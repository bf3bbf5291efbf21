import numpy as np
import pyarrow.parquet as pq

from circumplex.annotations.clip_labels import write_clip_label
from circumplex.annotations.labels import SCHEMA, read_labels_table
from circumplex.io.parquet import TableWriter, frame_schema, read_metadata


def test_every_frame_of_the_clip_has_its_label(tmp_path):
    with TableWriter(tmp_path / "timeline.parquet", frame_schema(), {}) as table:
        table.write(frame=np.arange(4), time_s=np.arange(4) / 25)
    write_clip_label([0.5, -1], tmp_path / "timeline.parquet", tmp_path / "out.parquet", {"a": 1})
    np.testing.assert_array_equal(
        read_labels_table(tmp_path / "out.parquet"), np.tile([0.5, -1], (4, 1)).astype("f4")
    )
    written = pq.read_table(tmp_path / "out.parquet")
    assert written.column_names == SCHEMA.names
    assert written["time_s"].to_pylist() == [0, 0.04, 0.08, 0.12]
    assert read_metadata(tmp_path / "out.parquet")["clip_label"] == [0.5, -1]


def test_one_target_alone(tmp_path):
    with TableWriter(tmp_path / "timeline.parquet", frame_schema(), {}) as table:
        table.write(frame=np.arange(3), time_s=np.arange(3) / 25)
    write_clip_label([np.nan, 0.25], tmp_path / "timeline.parquet", tmp_path / "out.parquet", {})
    values = read_labels_table(tmp_path / "out.parquet")
    assert np.isnan(values[:, 0]).all()
    assert set(values[:, 1]) == {0.25}

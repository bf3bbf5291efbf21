"""Every table says of each column what it holds; tables of before are read as ever."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from circumplex.annotations import labels
from circumplex.backbones.stills import SetDescription, still_schema
from circumplex.evaluation import ccc_table
from circumplex.faces.table import face_schema
from circumplex.io.parquet import (
    DESCRIPTION_KEY,
    TableWriter,
    describe_all,
    frame_schema,
    interval_schema,
    read_columns,
    vector_field,
)
from circumplex.media.timeline import DECODED
from circumplex.pipeline.jobs.training import EPOCH_COLUMNS, curve_row
from circumplex.predictions.table import PredictionWriter
from circumplex.report import quality
from circumplex.training.state import EpochLog

SET = SetDescription("a", "image_table", "", classes=("happy",), action_units=(1,))


def schemas() -> dict[str, pa.Schema]:
    """Schemas of the project's tables, by the module that writes them."""
    predictions = PredictionWriter(Path("a.parquet"), {})
    log = EpochLog(1, 0.1, 0.5, 3, 0.2, 0.3, 1.0, 1.0)
    return {
        "timeline": frame_schema(DECODED),
        "feature": frame_schema(vector_field("densenet", 342)),
        "sound": interval_schema(vector_field("vggish", 128)),
        "faces": face_schema(),
        "labels": labels.SCHEMA,
        "predictions": predictions._table.schema,
        "quality": quality.SCHEMA,
        "ccc": ccc_table.SCHEMA,
        "stills": still_schema(SET),
        "epochs": describe_all(pa.Table.from_pylist([curve_row(log)]).schema, EPOCH_COLUMNS),
    }


@pytest.mark.parametrize("name", schemas())
def test_every_column_says_what_it_holds_and_the_file_keeps_it(name: str, tmp_path: Path) -> None:
    schema = schemas()[name]
    pq.write_table(schema.empty_table(), tmp_path / "a.parquet")
    for field in pq.read_schema(tmp_path / "a.parquet"):
        assert len(field.metadata[DESCRIPTION_KEY]) > 8, field.name


def test_columns_within_a_column_say_it_too() -> None:
    detection = face_schema().field("detections").type.value_type
    assert all(detection.field(k).metadata for k in range(detection.num_fields))


def test_a_table_without_descriptions_is_read_as_before(tmp_path: Path) -> None:
    plain = pa.schema([pa.field("frame", pa.int32()), pa.field("time_s", pa.float64())])
    with TableWriter(tmp_path / "old.parquet", plain, {"a": 1}) as table:
        table.write(frame=[0, 1], time_s=[0.0, 0.04])
    frame, time_s = read_columns(tmp_path / "old.parquet", ["frame", "time_s"])
    assert frame.tolist() == [0, 1]
    assert time_s.tolist() == [0.0, 0.04]

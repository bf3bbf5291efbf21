"""What the report says of several annotators."""

import numpy as np
import pyarrow as pa
import pytest

from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.report.agreement import describe_agreement, describe_annotators
from circumplex.report.corpus import ReportSample, make_row


@pytest.fixture
def table(tmp_path):
    """Write a table of labels whose metadata states an agreement."""

    def write(name, **agreement):
        columns = [pa.field("annotated", pa.bool_())]
        metadata = {"agreement": agreement} if agreement else {}
        path = tmp_path / f"{name}.parquet"
        with TableWriter(path, frame_schema(*columns), metadata) as writer:
            writer.write(frame=[0], time_s=[0.0], annotated=np.array([True]))
        return path

    return write


def measured(ccc, alpha, annotators=3):
    return {"annotators": annotators, "ccc": ccc, "alpha": alpha, "weights": []}


def test_a_sample_is_described_by_target(table):
    labels = table("a", valence=measured(0.4567, 0.89), arousal=measured(-0.1, None, 2))
    notes = ["3 annotators of valence: CCC 0.46, alpha 0.89"]
    notes.append("2 annotators of arousal: CCC −0.10, alpha –")
    assert describe_annotators(labels) == notes
    sample = ReportSample("a", "train", "largest", "a", labels=labels)
    assert make_row(sample, None, audio_expected=False).notes == tuple(notes)
    assert describe_annotators(table("b")) == []


def test_a_corpus_is_described_by_means_over_samples(table):
    tables = [
        table("a", valence=measured(0.4, 0.8)),
        table("b", valence=measured(0.6, None), arousal=measured(0.2, 0.3)),
        table("c"),
    ]
    assert describe_agreement(tables) == (
        "Agreement of annotators, mean over 2 samples with several: valence CCC 0.50, alpha 0.80; "
        "arousal CCC 0.20, alpha 0.30. CCC is the mean over pairs, alpha is Cronbach's."
    )
    assert describe_agreement(tables[2:]) == ""
    undefined = table("d", valence=measured(None, None))
    assert "1 sample with several: not defined" in describe_agreement([undefined])

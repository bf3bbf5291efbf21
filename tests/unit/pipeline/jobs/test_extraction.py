"""Features of a shard: what is in the store is taken from it without loading a network."""

import subprocess
import sys

import pytest

from circumplex.errors import JobError, SampleError
from circumplex.io.atomic import write_text
from circumplex.pipeline.jobs import extraction
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.store import (
    Entry,
    SampleRequest,
    Stage,
    Status,
    read_index,
    run_shard,
    write_index,
)
from places import ROOT
from running_jobs import shard_job

BEFORE = {"densenet": ("align_faces", "fill_frames"), "vggish": ("extract_audio",)}
SAMPLES = ("a", "b")


def entries_of(stage):
    return {s: Entry(Status.OK, f"store/{stage}/{s}", f"{stage} {s}", stage) for s in SAMPLES}


def job_of(results, feature):
    """The job of a feature whose earlier stages have files of two samples."""
    for stage in BEFORE[feature]:
        write_index(results / "index" / stage / "000-of-001.json", entries_of(stage))
    name = f"extract_{feature}"
    return ShardJob.of(shard_job(results, name, *BEFORE[feature], feature=feature))


def fill_store(results, feature, samples=SAMPLES):
    """Put what a job would make of samples into the store."""
    stage = Stage(f"extract_{feature}", results, "code", {})
    before = {name: entries_of(name) for name in BEFORE[feature]}
    requests = [
        SampleRequest(s, {}, {name: entries[s] for name, entries in before.items()})
        for s in samples
    ]
    index = results / "filled.json"
    run_shard(stage, index, requests, lambda _, output, __: write_text(output, "values"))


PROGRAM = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(ROOT / "workflow/scripts")!r}, {str(ROOT / "tests/helpers")!r}]
from circumplex.pipeline.jobs import extraction
sys.path.insert(0, {str(ROOT / "tests/unit/pipeline/jobs")!r})
from test_extraction import fill_store, job_of
results, feature = Path(sys.argv[1]), sys.argv[2]
fill_store(results, feature)
extraction.extract_feature(job_of(results, feature))
heavy = ["torch", "torchvision", "cv2", "transformers", "numpy", "pyarrow"]
print([name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("feature", BEFORE)
def test_a_job_that_finds_all_in_the_store_loads_no_network(tmp_path, feature):
    command = [sys.executable, "-I", "-c", PROGRAM, str(tmp_path), feature]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
    found = read_index(tmp_path / f"index/extract_{feature}/000-of-001.json")
    assert {entry.status for entry in found.values()} == {Status.OK}


class RowsExtractor:
    """Gives rows at its own rate, as the speech encoders do."""

    name, dimension = "vggish", 1


def test_what_is_not_in_the_store_is_extracted_by_one_extractor(tmp_path, monkeypatch):
    fill_store(tmp_path, "vggish", samples=["a"])
    loaded, extracted = [], []

    def load(job):
        loaded.append(job.request.feature)
        return RowsExtractor()

    def extract(wave, _output, extractor, _metadata):
        extracted.append(wave.relative_to(tmp_path).as_posix())
        assert isinstance(extractor, RowsExtractor)
        raise SampleError("unreadable")

    monkeypatch.setattr(extraction, "load_extractor", load)
    monkeypatch.setattr("circumplex.features.sound.extract_audio_feature", extract)
    extraction.extract_feature(job_of(tmp_path, "vggish"))
    assert loaded == ["vggish"]
    assert extracted == ["store/extract_audio/b"]
    found = read_index(tmp_path / "index/extract_vggish/000-of-001.json")
    assert found["a"].status is Status.OK
    assert found["b"] == Entry(Status.FAILED, stage="extract_vggish", reason="unreadable")


class Doubling:
    """An extractor of batches; 7 is more than it can embed, 9 than it can prepare."""

    name, dimension, batch_size = "densenet", 1, 2

    def prepare(self, crop):
        if crop == 9:
            raise TypeError("a bug of ours")
        return crop

    def embed(self, inputs):
        if (inputs == 7).any():
            raise ValueError("the network does not fit")
        return inputs[:, None].astype("f4")


def run_visual(tmp_path, monkeypatch, crops):
    """A job whose two samples have these crops."""
    import numpy as np  # not above: the program of another test imports this module without it

    def read_frames(faces, _fill, prepare):
        for value in crops[faces.name]:
            yield value, np.array([prepare(value)])

    def write_frames(output, _name, _dimension, pieces, _metadata):
        write_text(output, str([float(values[0, 0]) for _, values in pieces]))

    monkeypatch.setattr(extraction, "load_extractor", lambda _: Doubling())
    monkeypatch.setattr("circumplex.features.visual.read_frames", read_frames)
    monkeypatch.setattr("circumplex.features.visual.write_frames", write_frames)
    extraction.extract_feature(job_of(tmp_path, "densenet"))
    return read_index(tmp_path / "index/extract_densenet/000-of-001.json")


def test_what_one_sample_causes_in_a_batch_fails_it_alone(tmp_path, monkeypatch):
    found = run_visual(tmp_path, monkeypatch, {"a": [1, 9, 3], "b": [4, 5, 6]})
    assert found["a"].status is Status.FAILED
    assert found["a"].reason.startswith("unexpected error TypeError: a bug of ours")
    assert (tmp_path / found["b"].file).read_text() == "[4.0, 5.0, 6.0]"


def test_an_error_of_the_network_ends_the_job(tmp_path, monkeypatch):
    with pytest.raises((JobError, ValueError), match="the network does not fit"):
        run_visual(tmp_path, monkeypatch, {"a": [1, 7, 3], "b": [4, 5, 6]})
    assert not (tmp_path / "index/extract_densenet/000-of-001.json").exists()

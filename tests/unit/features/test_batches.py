"""Extraction of a shard's stale samples in one stream, and the index that comes of it."""

import numpy as np
import pytest

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.features.batches import extract_in_batches
from circumplex.io.atomic import write_text
from circumplex.pipeline.store import SampleRequest, Stage, Status, read_index, run_shard_together


class Doubling:
    """Twice its inputs, and a record of the batches."""

    name, dimension, batch_size = "doubling", 1, 4

    def __init__(self):
        self.batches = []

    def embed(self, inputs):
        self.batches.append(inputs.tolist())
        return 2 * inputs[:, None].astype(np.float32)


class Shard:
    """Samples of numbers; a string among them is an error at that place."""

    def __init__(self, results, samples):
        self.stage = Stage("double", results, "c", {}, suffix=".txt")
        self.index = results / "index/double/000-of-001.json"
        self.samples, self.extractor = samples, Doubling()

    def read(self, task):
        for number in self.samples[task.request.sample]:
            if isinstance(number, Exception):
                raise number
            yield number, np.array([number])

    def write(self, task, pieces):
        lines = [f"{number} {values.tolist()}\n" for number, values in pieces]
        write_text(task.output, "".join(lines))

    def run(self, make_all=None):
        def extract(tasks):
            return extract_in_batches(tasks, self.extractor, self.read, self.write)

        requests = [
            SampleRequest(name, {"numbers": str(values)}) for name, values in self.samples.items()
        ]
        run_shard_together(self.stage, self.index, requests, make_all or extract)
        return read_index(self.index)

    def text(self, sample):
        return self.stage.link_path(sample).read_text()


def test_batches_are_filled_across_samples(tmp_path):
    shard = Shard(tmp_path, {"a": [1, 2, 3], "b": [4], "c": [], "d": [5, 6]})
    entries = shard.run()
    assert shard.extractor.batches == [[1, 2, 3, 4], [5, 6, 6, 6]]
    assert {entry.status for entry in entries.values()} == {Status.OK}
    assert shard.text("a") == "1 [[2.0]]\n2 [[4.0]]\n3 [[6.0]]\n"
    assert (shard.text("b"), shard.text("c")) == ("4 [[8.0]]\n", "")
    assert shard.text("d") == "5 [[10.0]]\n6 [[12.0]]\n"
    shard.extractor.batches.clear()
    assert shard.run() == entries
    assert shard.extractor.batches == []


def test_a_sample_that_fails_on_the_way_spoils_no_other(tmp_path):
    unreadable, silent = SampleError("row 2 is unreadable"), ModalityAbsent("no sound")
    samples = {"a": [1, 2], "b": [3, unreadable], "c": [silent], "d": [4, 5]}
    shard = Shard(tmp_path, samples)
    entries = shard.run()
    found = {name: (entry.status, entry.reason) for name, entry in entries.items()}
    assert found["b"] == (Status.FAILED, "row 2 is unreadable")
    assert found["c"] == (Status.ABSENT, "no sound")
    assert list(entries) == ["a", "b", "c", "d"]
    assert shard.text("a") == "1 [[2.0]]\n2 [[4.0]]\n"
    assert shard.text("d") == "4 [[8.0]]\n5 [[10.0]]\n"
    assert not shard.stage.link_path("b").exists()
    assert len(list((tmp_path / "store").rglob("*.txt"))) == 2


def test_samples_of_equal_content_are_made_once(tmp_path):
    shard = Shard(tmp_path, {"a": [1, 2], "b": [1, 2], "c": [3]})
    entries = shard.run()
    assert shard.extractor.batches == [[1, 2, 3, 3]]
    assert entries["a"] == entries["b"]
    assert shard.text("b") == shard.text("a")


def test_a_bug_in_reading_fails_the_job_and_keeps_what_is_done(tmp_path):
    shard = Shard(tmp_path, {"a": [1, 2, 3, 4], "b": [5, ZeroDivisionError("bug")]})
    with pytest.raises(ZeroDivisionError):
        shard.run()
    assert not shard.index.exists()
    shard.samples["b"] = [5]
    shard.extractor.batches.clear()
    shard.run()
    assert shard.extractor.batches == [[5, 5, 5, 5]]


def test_a_sample_that_nothing_was_said_of_is_a_bug(tmp_path):
    shard = Shard(tmp_path, {"a": [1]})
    with pytest.raises(ValueError, match="double: nothing was said of"):
        shard.run(make_all=lambda _: [])

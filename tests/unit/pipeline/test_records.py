"""Records beside the results decide what is current; dates, inodes and places do not."""

import json
import os
import shutil

import pytest

from circumplex.io.atomic import write_json, write_text
from circumplex.io.digests import file_digest
from circumplex.pipeline import records
from circumplex.pipeline.records import Job, Records, content_digest, record_file, write_record
from circumplex.pipeline.requests import Request
from circumplex.pipeline.store import (
    Entry,
    SampleRequest,
    Stage,
    Status,
    record_path,
    run_shard,
    write_index,
)

INDEX = "index/extract_x/s.json"
PACK = "pack/x.npy"
TABLE = "write_submission/main.json"
NAME = "write_submission"
FOLDER = "submissions/main"


def jobs(request="code", stages=("extract_x", "pack", NAME)):
    """A stage of per-sample files, a pack of them, and a submission."""
    found = [
        Job("s", Request("extract_x", request), {}, (INDEX,)),
        Job("x", Request("pack", "code"), {"index": (INDEX,)}, (PACK,), (("extract_x", "s"),)),
        Job("main", Request(NAME, "code"), {"pack": (PACK,)}, (TABLE,), (("pack", "x"),)),
    ]
    return {(job.stage, job.unit): job for job in found if job.stage in stages}


class Results:
    """A finished run of these jobs."""

    def __init__(self, folder):
        self.folder = folder
        self.jobs = jobs()
        stage = Stage("extract_x", folder, "code", {}, ".txt")

        def make(request, output, _metadata):
            write_text(output, request.sample)

        requests = [SampleRequest(name, {"sample": name}) for name in ("a", "b")]
        run_shard(stage, folder / INDEX, requests, make)
        write_text(folder / PACK, "pack")
        write_text(folder / FOLDER / "a.txt", "0,0\n")
        files = {"a.txt": file_digest(folder / FOLDER / "a.txt")}
        write_json(folder / TABLE, {"folder": FOLDER, "files": files})
        for job in self.jobs.values():
            self.record(job)

    def record(self, job):
        inputs, outputs = (
            {path: self.folder / path for path in paths} for paths in (job.input_paths, job.outputs)
        )
        write_record(self.folder, job, inputs, outputs)

    def records(self):
        return Records(self.folder, lambda *key: self.jobs[key])

    def current(self):
        """Stages whose job is current, by a start of the workflow."""
        found = self.records()
        return {job.stage for job in self.jobs.values() if found.is_current(job)}

    def settled(self):
        found = self.records()
        return {stage for stage, unit in self.jobs if found.is_settled(stage, unit)}

    def file(self, stage):
        (job,) = [job for job in self.jobs.values() if job.stage == stage]
        return record_file(self.folder, job.stage, job.unit)

    def stored(self, sample):
        return (self.folder / "extract_x" / f"{sample}.txt").resolve()


ALL = {"extract_x", "pack", NAME}


@pytest.fixture
def results(tmp_path):
    made = Results(tmp_path / "results")
    assert made.current() == made.settled() == ALL
    return made


def another_request(results):
    results.jobs |= jobs(request="other", stages=["extract_x"])


def another_input_content(results):
    entries = {"a": Entry(Status.FAILED, stage="extract_x", reason="r")}
    write_index(results.folder / INDEX, entries)
    results.record(results.jobs["extract_x", "s"])


def missing_input(results):
    (results.folder / INDEX).unlink()


def one_more_input(results):
    job = results.jobs["pack", "x"]
    more = Job("x", job.request, {"index": (INDEX, TABLE)}, job.outputs, job.upstream)
    results.jobs["pack", "x"] = more


def one_input_less(results):
    job = results.jobs["pack", "x"]
    results.jobs["pack", "x"] = Job("x", job.request, {}, job.outputs, job.upstream)


def one_more_output(results):
    job = results.jobs["pack", "x"]
    write_text(results.folder / "pack/y.npy", "y")
    more = Job("x", job.request, job.inputs, (PACK, "pack/y.npy"), job.upstream)
    results.jobs["pack", "x"] = more


def missing_output(results):
    (results.folder / PACK).unlink()


def altered_output(results):
    write_text(results.folder / PACK, "kcap")


def missing_sample(results):
    results.stored("a").unlink()


def altered_sample(results):
    results.stored("a").write_text("A")


def unlinked_sample(results):
    (results.folder / "extract_x" / "a.txt").unlink()


def altered_submission(results):
    (results.folder / FOLDER / "a.txt").write_text("1,1\n")


def one_more_file_of_a_submission(results):
    (results.folder / FOLDER / "b.txt").write_text("1,1\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (another_request, {"extract_x"}),
        (another_input_content, {"pack"}),
        (missing_input, {"extract_x", "pack"}),
        (one_more_input, {"pack"}),
        (one_input_less, {"pack"}),
        (one_more_output, {"pack"}),
        (missing_output, {"pack", NAME}),
        (altered_output, {"pack", NAME}),
        (missing_sample, {"extract_x"}),
        (altered_sample, {"extract_x"}),
        (unlinked_sample, {"extract_x"}),
        (altered_submission, {NAME}),
        (one_more_file_of_a_submission, {NAME}),
    ],
)
def test_what_makes_a_job_stale(results, change, expected):
    change(results)
    assert results.current() == ALL - expected


def test_a_job_is_settled_if_it_and_all_before_it_are_current(results):
    another_request(results)
    assert results.settled() == set()
    results.jobs |= jobs(stages=["extract_x"])
    altered_submission(results)
    assert results.settled() == {"extract_x", "pack"}
    missing_output(results)
    assert results.settled() == {"extract_x"}


def test_a_job_that_never_ran_is_stale_without_a_warning(results, caplog):
    results.file("pack").unlink()
    assert results.current() == ALL - {"pack"}
    assert caplog.text == ""


def without(key):
    def cut(record):
        return {name: value for name, value in record.items() if name != key}

    return cut


DAMAGES = [
    *("", "[]", "{}", "null", "3", '"text"', '{"request', "\udcff"),
    *(without(key) for key in ("request", "inputs", "outputs")),
    lambda record: {**record, "outputs": []},
    lambda record: {**record, "outputs": {PACK: 1}},
    lambda record: {**record, "outputs": {PACK: None}},
    lambda record: {**record, "outputs": {PACK: {}}},
    lambda record: {**record, "outputs": {PACK: {"digest": 1}}},
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_makes_its_job_stale_and_a_warning_says_so(results, damage, caplog):
    path = results.file("pack")
    text = damage if isinstance(damage, str) else json.dumps(damage(json.loads(path.read_text())))
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert results.current() == ALL - {"pack"}
    assert "pack x: its record is damaged; it runs again" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "damage", [{"inputs": []}, {"inputs": 1}, {"request": 3}, {"request": []}, {"inputs": {}}]
)
def test_a_record_of_other_values_makes_its_job_stale(results, damage):
    path = results.file("pack")
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    assert results.current() == ALL - {"pack"}


@pytest.mark.parametrize("text", ["", "[]", "3", '{"a": 1}', '{"a": {"status": "odd"}}'])
def test_an_index_damaged_by_hand_makes_its_job_stale(results, text):
    (results.folder / INDEX).write_text(text)
    assert results.current() == {NAME}


@pytest.fixture
def read(monkeypatch):
    """Names of the files whose content was read to compare it."""
    seen = []

    def spy(path, file):
        seen.append(path)
        return content_digest(path, file)

    monkeypatch.setattr(records, "content_digest", spy)
    return seen


def copy(results, to):
    """Copy the results with other dates and inodes; links stay links."""
    shutil.copytree(
        results.folder, to, symlinks=True, copy_function=lambda a, b: shutil.copyfile(a, b)
    )
    for number, path in enumerate(to.rglob("*")):
        if not path.is_symlink():
            os.utime(path, (number, number))
    results.folder = to


def test_unchanged_results_are_not_read(results, read):
    assert results.current() == ALL
    assert read == []


def test_copied_results_are_current_and_read_once(results, tmp_path, read):
    copy(results, tmp_path / "copy")
    assert results.current() == results.settled() == ALL
    assert set(read) == {INDEX, PACK, TABLE}
    read.clear()
    assert results.current() == ALL
    assert read == []


def test_touched_and_moved_results_are_current(results, tmp_path):
    for path in results.folder.rglob("*"):
        os.utime(path, (1, 1))
    assert results.current() == ALL
    results.folder = results.folder.rename(tmp_path / "moved")
    assert results.current() == results.settled() == ALL


def test_an_altered_file_of_the_same_size_and_date_is_seen_in_a_copy(results, tmp_path):
    copy(results, tmp_path / "copy")
    record = record_path(results.stored("b"))
    assert record.is_file()
    results.stored("b").write_text("B")
    write_text(results.folder / PACK, "kcap")
    assert results.current() == set()


def entry(file="store/1", sha256="1", status=Status.OK, reason=""):
    return Entry(status, file=file, sha256=sha256, stage="extract_x", reason=reason)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (entry(file="store/2"), True),
        (entry(reason="in other words"), False),  # list_failures shows it
        (entry(sha256="2"), False),
        (entry(status=Status.ABSENT), False),
    ],
)
def test_an_index_says_what_its_samples_files_hold(tmp_path, other, same):
    def digest(name, **entries):
        write_index(tmp_path / name, entries)
        return content_digest(INDEX, tmp_path / name)

    base = digest("1.json", a=entry())
    assert (digest("2.json", a=other) == base) == same
    assert digest("3.json", b=entry()) != base
    assert digest("4.json", a=entry(), b=entry()) != base


def test_the_marker_is_written_anew_with_other_words(results):
    first = results.records().marker.read_text()
    found = results.records()
    assert found.marker.read_text() != first
    newest = max(p.stat().st_mtime_ns for p in results.folder.rglob("*") if p.is_file())
    assert found.marker.stat().st_mtime_ns == newest
    assert results.current() == ALL

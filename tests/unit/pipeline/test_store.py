import errno
import json
import os
import signal
import time

import pytest

from circumplex.errors import JobError, ModalityAbsent, SampleError
from circumplex.io.atomic import read_json, write_json, write_text
from circumplex.io.digests import file_digest, fingerprint
from circumplex.pipeline.store import (
    Entry,
    SampleRequest,
    Stage,
    Status,
    clean_store,
    damaged_samples,
    entries_by_sample,
    ok_files,
    read_index,
    record_path,
    run_shard,
    run_unit,
    write_index,
)


class Shard:
    """A shard of one stage whose files hold what their keys say."""

    def __init__(self, results, stage="stage", **stage_options):
        values = {"code": "c1", "options": {"o": 1}, **stage_options}
        self.stage = Stage(stage, results, suffix=".txt", **values)
        self.index = results / "index" / stage / "000-of-001.json"
        self.made = []

    def run(self, requests, make=None):
        def write(request, output, metadata):
            self.made.append(request.sample)
            (make or self.make)(request, output, metadata)

        if isinstance(requests, dict):
            requests = [SampleRequest(sample, key) for sample, key in requests.items()]
        self.made.clear()
        run_shard(self.stage, self.index, requests, write)
        return read_index(self.index)

    @staticmethod
    def make(request, output, metadata):
        write_text(output, f"{request.key} {metadata['code']}")

    def link(self, sample):
        return self.stage.link_path(sample)

    def damaged(self):
        return damaged_samples(self.stage.results, self.stage.name, self.index)


@pytest.fixture
def shard(tmp_path):
    return Shard(tmp_path / "results")


def test_made_once_then_taken(shard):
    first = shard.run({"a": {"v": 1}, "b": {"v": 2}})
    assert shard.made == ["a", "b"]
    assert shard.link("a").read_text() == "{'v': 1} c1"
    assert first["a"].sha256 == file_digest(shard.link("a"))
    assert shard.link("a").resolve() == (shard.stage.results / first["a"].file).resolve()
    assert not shard.link("a").readlink().is_absolute(), "the results folder can be moved"
    text = shard.index.read_bytes()
    assert shard.run({"a": {"v": 1}, "b": {"v": 2}}) == first
    assert shard.made == []
    assert shard.index.read_bytes() == text
    assert shard.damaged() == []


def test_only_what_changed_is_made_and_what_was_is_still_there(shard):
    first = shard.run({"a": {"v": 1}, "b": {"v": 2}})
    second = shard.run({"a": {"v": 1}, "b": {"v": 3}, "c": {"v": 4}})
    assert shard.made == ["b", "c"]
    assert shard.link("b").read_text() == "{'v': 3} c1"
    assert second["a"] == first["a"]
    assert shard.run({"a": {"v": 1}, "b": {"v": 2}}) == first
    assert shard.made == []
    assert shard.link("b").read_text() == "{'v': 2} c1"


@pytest.mark.parametrize("change", [{"code": "c2"}, {"options": {"o": 2}}, {"stage": "other"}])
def test_code_options_and_stage_are_in_the_key(tmp_path, change):
    shard = Shard(tmp_path)
    before = shard.run({"a": {}})["a"].file
    changed = Shard(tmp_path, **change)
    assert changed.run({"a": {}})["a"].file != before
    assert changed.made == ["a"]


def test_the_content_of_earlier_stages_is_in_the_key_their_paths_are_not(shard):
    def request(sha256, file):
        return [SampleRequest("a", {}, {"before": Entry(Status.OK, file, sha256, "before")})]

    shard.run(request("1", "x"))
    shard.run(request("1", "y"))
    assert shard.made == []
    shard.run(request("2", "x"))
    assert shard.made == ["a"]


def test_samples_of_equal_content_share_a_file(shard):
    entries = shard.run({"a": {"v": 1}, "b": {"v": 1}})
    assert shard.made == ["a"]
    assert entries["a"] == entries["b"]
    assert shard.link("b").read_text() == shard.link("a").read_text()


def alter(path):
    path.write_text("altered")


def alter_within_size(path):
    status = path.stat()
    path.write_text("x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replace_by_older(path):
    other = path.with_suffix(".other")
    other.write_text("x" * path.stat().st_size)
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def remove(path):
    path.unlink()


def remove_record(path):
    record_path(path).unlink()


def cut_record(path):
    record_path(path).write_text('{"sha2')


def empty_record(path):
    record_path(path).write_text("{}")


def list_as_record(path):
    record_path(path).write_text("[]")


def number_in_record(path):
    record_path(path).write_text(json.dumps({"sha256": 5, "fingerprint": fingerprint(path)}))


@pytest.mark.parametrize(
    "damage",
    [
        *(alter, alter_within_size, replace_by_older, remove),
        *(remove_record, cut_record, empty_record, list_as_record, number_in_record),
    ],
)
def test_a_damaged_file_is_seen_and_made_again(shard, damage):
    first = shard.run({"a": {"v": 1}, "b": {"v": 2}})
    damage(shard.link("a").resolve())
    assert shard.damaged() == ["a"]
    assert shard.run({"a": {"v": 1}, "b": {"v": 2}}) == first
    assert shard.made == ["a"]
    assert shard.link("a").read_text() == "{'v': 1} c1"
    assert shard.damaged() == []


def test_a_damaged_link_is_seen_and_mended_without_work(shard):
    requests = {"a": {"v": 1}, "b": {"v": 2}, "c": {"v": 3}}
    first = shard.run(requests)
    shard.link("a").unlink()
    shard.link("b").unlink()
    shard.link("b").symlink_to(shard.link("c").resolve())
    text = shard.link("c").read_text()
    shard.link("c").unlink()
    shard.link("c").write_text(text)
    assert shard.damaged() == ["a", "b", "c"]
    assert shard.run(requests) == first
    assert shard.made == []
    assert shard.damaged() == []
    assert shard.link("b").read_text() == "{'v': 2} c1"


def test_a_touched_or_moved_store_is_intact(shard, tmp_path):
    first = shard.run({"a": {"v": 1}})
    stored = shard.link("a").resolve()
    os.utime(stored, ns=(1, 1))
    assert shard.damaged() == []
    shard.stage.results.rename(tmp_path / "moved")
    moved = Shard(tmp_path / "moved")
    assert moved.damaged() == []
    assert moved.run({"a": {"v": 1}}) == first
    assert moved.made == []


class Killed(BaseException):
    """Stands for a signal: nothing handles it."""


@pytest.mark.parametrize("moment", ["while writing", "before the record", "writing the record"])
def test_a_killed_job_is_made_again(shard, moment, monkeypatch):
    def kill(*_):
        raise Killed

    def make(_request, output, _metadata):
        if moment == "while writing":
            # Worse than what writers do: they write to a temporary name.
            output.write_text("half")
            raise Killed
        output.write_text("whole")

    if moment == "before the record":
        monkeypatch.setattr("circumplex.pipeline.store.write_record", kill)
    if moment == "writing the record":
        monkeypatch.setattr("circumplex.pipeline.store.write_json", kill)
    with pytest.raises(Killed):
        shard.run({"a": {"v": 1}}, make)
    assert not shard.index.exists()
    monkeypatch.undo()
    shard.run({"a": {"v": 1}})
    assert shard.made == ["a"]
    assert shard.link("a").read_text() == "{'v': 1} c1"


def test_what_a_killed_job_left_beside_an_index_is_not_read(shard):
    shard.run({"a": {"v": 1}})
    leftover = shard.index.with_name(f".partial-1-{shard.index.name}")
    leftover.write_text('{"a": {"sta')
    assert clean_store(shard.stage.results) == 0
    assert shard.index.exists()


@pytest.mark.parametrize(
    ("error", "status"), [(SampleError, Status.FAILED), (ModalityAbsent, Status.ABSENT)]
)
def test_a_samples_trouble_is_its_own(shard, error, status):
    requests = {"a": {"v": 1}, "b": {"v": 2}}
    shard.run(requests)

    def make(request, output, metadata):
        if request.sample == "a":
            raise error("no good: mend it")
        shard.make(request, output, metadata)

    entries = shard.run({"a": {"v": 9}, "b": {"v": 8}}, make)
    assert entries["a"] == Entry(status, stage="stage", reason="no good: mend it")
    assert entries["b"].status is Status.OK
    assert not shard.link("a").is_symlink(), "the file of the run before must not stand there"
    assert shard.damaged() == []
    assert shard.run(requests)["a"].status is Status.OK
    assert shard.made == []


def test_trouble_goes_on_to_later_stages_as_it_was(tmp_path):
    failed = Entry(Status.FAILED, stage="extract_frames", reason="no picture")
    absent = Entry(Status.ABSENT, stage="extract_audio", reason="no sound")
    fine = Entry(Status.OK, "f", "1", "extract_frames")
    shard = Shard(tmp_path)
    entries = shard.run(
        [
            SampleRequest("a", {}, {"extract_frames": failed}),
            SampleRequest("b", {}, {"extract_frames": fine, "extract_audio": absent}),
            SampleRequest("c", {}, {"extract_audio": absent, "extract_frames": failed}),
        ]
    )
    assert entries == {"a": failed, "b": absent, "c": failed}
    assert shard.made == []


def test_a_stage_that_makes_something_of_what_is_there(tmp_path):
    failed = Entry(Status.FAILED, stage="extract_frames", reason="no picture")
    absent = Entry(Status.ABSENT, stage="extract_audio", reason="no sound")
    fine = Entry(Status.OK, "f", "1", "extract_audio")
    shard = Shard(tmp_path, takes_absent=True)
    entries = shard.run(
        [
            SampleRequest("a", {}, {"extract_frames": failed, "extract_audio": absent}),
            SampleRequest("b", {}, {"extract_audio": absent}),
            SampleRequest("c", {}, {"extract_audio": fine}),
        ]
    )
    assert entries["a"] == failed
    assert shard.made == ["b", "c"]
    assert entries["b"].file != entries["c"].file, "what is absent is part of the key"


def full_disk(_):
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [full_disk, ImportError, JobError])
def test_a_fault_of_the_machine_fails_the_job_and_writes_no_index(shard, error):
    def make(request, output, metadata):
        if request.sample == "b":
            raise error("x")
        shard.make(request, output, metadata)

    with pytest.raises(type(error("x"))):
        shard.run({"a": {"v": 1}, "b": {"v": 2}}, make)
    assert not shard.index.exists()
    shard.run({"a": {"v": 1}, "b": {"v": 2}})
    assert shard.made == ["b"], "what was made before the fault is kept"


@pytest.mark.parametrize("error", [ValueError, KeyError, OverflowError, AssertionError])
def test_any_other_error_fails_its_sample_alone(shard, error):
    def make(request, output, metadata):
        if request.sample == "b":
            raise error("bug")
        shard.make(request, output, metadata)

    requests = [SampleRequest(name, {"v": name}, files=[f"{name}.mp4"]) for name in "abc"]
    entries = shard.run(requests, make)
    assert [entry.status for entry in entries.values()] == [Status.OK, Status.FAILED, Status.OK]
    assert entries["b"].reason.startswith(f"b.mp4: unexpected error {error.__name__}: ")


def test_what_may_pass_is_to_be_tried_again(shard):
    def make(request, output, metadata):
        if request.sample == "b":
            raise OSError(errno.EIO, "Input/output error", "b.mp4")
        shard.make(request, output, metadata)

    requests = [SampleRequest(name, {"v": name}) for name in "abc"]
    assert run_shard(shard.stage, shard.index, requests, make) == ["b"]
    assert read_index(shard.index)["b"].reason.startswith("b.mp4 cannot be read: Input/output")
    assert run_shard(shard.stage, shard.index, requests, shard.make) == []


def test_a_sample_that_takes_for_ever_fails_alone(shard):
    def make(request, output, metadata):
        if request.sample == "b":
            time.sleep(60)
        shard.make(request, output, metadata)

    requests = [SampleRequest(name, {"v": name}, limit_s=0.2) for name in "abc"]
    assert run_shard(shard.stage, shard.index, requests, make) == ["b"]
    assert read_index(shard.index)["b"].reason.startswith("it took more than")


def test_a_unit_that_is_no_sample_may_take_any_time(shard):
    """A training lasts for hours."""

    def make(request, output, metadata):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        shard.make(request, output, metadata)

    run_unit(shard.stage, shard.index, SampleRequest("model", {}), make)
    assert read_index(shard.index)["model"].status is Status.OK


@pytest.mark.parametrize("error", [SampleError("the image is gone"), ValueError("a fault")])
def test_what_a_unit_raises_ends_its_job(shard, error):
    def make(*_):
        raise error

    with pytest.raises(type(error), match=str(error)):
        run_unit(shard.stage, shard.index, SampleRequest("model", {}), make)
    assert not shard.index.exists()


@pytest.mark.parametrize("kind", ["hard link", "copy"])
def test_a_file_system_without_symbolic_links(shard, monkeypatch, kind):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    if kind == "copy":
        monkeypatch.setattr(os, "link", refuse)
    first = shard.run({"a": {"v": 1}, "b": {"v": 2}})
    assert not shard.link("a").is_symlink()
    assert shard.link("a").read_text() == "{'v': 1} c1"
    assert shard.damaged() == []
    assert shard.run({"a": {"v": 1}, "b": {"v": 2}}) == first
    assert shard.made == []
    shard.link("a").unlink()
    shard.link("a").write_text("altered by hand")
    assert shard.damaged() == ["a"]
    shard.run({"a": {"v": 1}, "b": {"v": 3}})
    assert shard.link("a").read_text() == "{'v': 1} c1"
    assert shard.link("b").read_text() == "{'v': 3} c1"

    def fail(*_):
        raise SampleError("no good")

    shard.run({"a": {"v": 9}, "b": {"v": 8}}, fail)
    assert not shard.link("a").exists(), "the file of the run before must not stand there"


def test_clean_store_keeps_what_an_index_names(shard):
    shard.run({"a": {"v": 1}, "b": {"v": 2}})
    stale = shard.link("b").resolve()
    size = stale.stat().st_size
    shard.run({"a": {"v": 1}, "b": {"v": 3}})
    leftover = stale.with_name(".half.parquet.1.partial")
    leftover.write_text("1234")
    assert clean_store(shard.stage.results) == size + 4
    assert not stale.exists()
    assert not record_path(stale).exists()
    assert not leftover.exists()
    assert shard.damaged() == []
    shard.run({"a": {"v": 1}, "b": {"v": 3}})
    assert shard.made == []
    assert clean_store(shard.stage.results) == 0


def test_clean_store_of_nothing(tmp_path):
    assert clean_store(tmp_path) == 0


def test_index_round_trip_and_join(tmp_path):
    entries = {
        "é": Entry(Status.OK, "f", "1", "s"),
        "b": Entry(Status.FAILED, stage="s", reason="r"),
    }
    write_index(tmp_path / "1.json", entries)
    assert read_index(tmp_path / "1.json") == entries
    other = {name: Entry(Status.ABSENT, stage="t") for name in entries}
    write_index(tmp_path / "2.json", other)
    both = entries_by_sample({"s": tmp_path / "1.json", "t": tmp_path / "2.json"})
    assert both == {name: {"s": entries[name], "t": other[name]} for name in ("b", "é")}
    assert entries_by_sample({}) == {}
    write_json(tmp_path / "3.json", read_json(tmp_path / "1.json"))
    assert (tmp_path / "3.json").read_bytes() == (tmp_path / "1.json").read_bytes()
    assert json.loads((tmp_path / "1.json").read_text())["é"]["status"] == "ok"
    assert ok_files([tmp_path / "1.json", tmp_path / "2.json"], tmp_path) == {"é": tmp_path / "f"}

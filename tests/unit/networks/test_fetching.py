"""Fetching weights from a local server that misbehaves in every way that is known."""

import errno
import hashlib
import io
import struct
import threading
import warnings
import zipfile
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from circumplex.config.catalogue import (
    LOCK_NAME,
    OWN,
    Published,
    PublishedFile,
    published_problems,
    published_weights,
    read_lock,
    weights_folder,
)
from circumplex.errors import RequestError
from circumplex.io.digests import DigestCache
from circumplex.networks import fetching
from circumplex.networks.fetching import PARTIAL, Patience, fetch
from circumplex.progress import PROGRESS

CONTENT = np.random.default_rng(0).bytes(700_001)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(attempts=3, pause_s=0.0, connect_s=2.0, read_s=2.0)


@dataclass
class Manners:
    """How the server behaves; what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)  # of the first answers, instead of content
    break_after: list[int] = field(default_factory=list)  # bytes sent before it breaks off
    length_added: int = 0  # to the length that it announces
    has_length: bool = True
    wrong_range: bool = False
    asked: list[str | None] = field(default_factory=list)
    sent: int = 0


@pytest.fixture
def server():
    """A server and its manners."""
    manners = Manners()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            wanted = self.headers.get("Range")
            manners.asked.append(wanted)
            if manners.statuses:
                self.send_error(manners.statuses.pop(0))
                return
            start = 0
            if wanted and manners.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(manners.content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(manners.content)}")
                    self.end_headers()
                    return
                start = 0 if manners.wrong_range else start
                last = len(manners.content) - 1
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            else:
                self.send_response(200)
            body = manners.content[start:]
            if manners.has_length:
                self.send_header("Content-Length", str(len(body) + manners.length_added))
            self.end_headers()
            body = body[: manners.break_after.pop(0)] if manners.break_after else body
            manners.sent += len(body)
            self.wfile.write(body)

    instance = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.handle_error = lambda *_: None  # a client that hangs up is no news
    threading.Thread(target=instance.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{instance.server_port}", manners
    instance.shutdown()
    instance.server_close()


def entry(address: str, **changes) -> Published:
    file = PublishedFile("w.pth", f"{address}/w.pth", size=len(CONTENT), sha256=SHA256)
    return Published("w", "w.pth", "v1", "free", "nobody", "noise", (replace(file, **changes),))


def left(cache):
    """Names of what lies in a cache beside the lock against other processes."""
    return {str(p.relative_to(cache)) for p in cache.rglob("*") if p.is_file()} - {".fetching.lock"}


def test_a_file_is_fetched_checked_and_recorded(server, tmp_path):
    address, manners = server
    assert fetch(entry(address), tmp_path / "a" / "cache", QUICK) == {"w.pth": SHA256}
    cache = tmp_path / "a" / "cache"
    assert (cache / "w.pth").read_bytes() == CONTENT
    assert read_lock(cache) == {"w.pth": SHA256}
    assert left(cache) == {"w.pth", LOCK_NAME}
    assert manners.asked == [None]


def test_a_second_project_fetches_nothing(server, tmp_path):
    address, manners = server
    fetch(entry(address), tmp_path, QUICK)
    assert fetch(entry(address), tmp_path, QUICK) == {"w.pth": SHA256}
    assert len(manners.asked) == 1


def test_a_full_cache_is_not_written_to(server, tmp_path):
    address, _ = server
    fetch(entry(address), tmp_path, QUICK)
    (tmp_path / ".fetching.lock").unlink(missing_ok=True)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert fetch(entry(address), tmp_path, QUICK) == {"w.pth": SHA256}
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_two_processes_at_once_fetch_it_once(server, tmp_path):
    address, manners = server
    found = []
    work = [
        threading.Thread(target=lambda: found.append(fetch(entry(address), tmp_path, QUICK)))
        for _ in range(3)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert found == [{"w.pth": SHA256}] * 3
    assert len(manners.asked) == 1


def test_a_connection_that_breaks_off_is_resumed(server, tmp_path):
    address, manners = server
    manners.break_after = [200_000, 300_000]
    fetch(entry(address), tmp_path, QUICK)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT
    assert manners.asked[0] is None
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in manners.asked[1:]]
    assert 100_000 < starts[0] <= 200_000 < starts[1] <= 500_000
    assert manners.sent < 1.3 * len(CONTENT)


def test_a_later_run_goes_on_where_an_earlier_one_was_cut_off(server, tmp_path):
    address, manners = server
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / PARTIAL / "w.pth").write_bytes(CONTENT[:600_000])
    fetch(entry(address), tmp_path, QUICK)
    assert manners.asked == ["bytes=600000-"]
    assert manners.sent == 100_001
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_whole_partial_file_is_not_fetched_again(server, tmp_path, size):
    address, manners = server
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / PARTIAL / "w.pth").write_bytes(CONTENT)
    fetch(entry(address, size=size), tmp_path, QUICK)
    assert manners.sent == 0
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("manner", ["none", "wrong"])
def test_without_ranges_a_broken_file_is_fetched_anew(server, tmp_path, manner):
    address, manners = server
    manners.ranges, manners.wrong_range = manner == "wrong", manner == "wrong"
    manners.break_after = [200_000]
    fetch(entry(address), tmp_path, QUICK)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


def test_a_server_that_keeps_breaking_off_is_given_up_and_what_came_is_kept(server, tmp_path):
    address, manners = server
    manners.break_after = [200_000, 0, 0, 0, 0, 0]
    with pytest.raises(RequestError, match=r"3 times over, after \d+ bytes") as raised:
        fetch(entry(address), tmp_path, QUICK)
    assert f"put {address}/w.pth ({len(CONTENT)} bytes, sha256 {SHA256}) at" in str(raised.value)
    assert str(tmp_path / "w.pth") in str(raised.value)
    assert left(tmp_path) == {f"{PARTIAL}/w.pth"}
    assert (tmp_path / PARTIAL / "w.pth").read_bytes() == CONTENT[: 3 * (1 << 16)]


def test_without_ranges_a_server_that_always_breaks_off_is_given_up(server, tmp_path):
    address, manners = server
    manners.ranges = False
    manners.break_after = [500_000, 400_000] * 10
    with pytest.raises(RequestError, match="3 times over"):
        fetch(entry(address), tmp_path, QUICK)
    assert len(manners.asked) == 4


@pytest.mark.parametrize("added", [-1000, 1000])
def test_a_length_that_is_not_the_catalogues_is_refused(server, tmp_path, added):
    address, manners = server
    manners.length_added = added
    message = f"announces {len(CONTENT) + added} bytes, the catalogue states {len(CONTENT)}"
    with pytest.raises(RequestError, match=message):
        fetch(entry(address), tmp_path, QUICK)
    assert left(tmp_path) == set()


@pytest.mark.parametrize(
    ("added", "problem"), [(-1000, "another file: its sha256"), (1000, "3 times over")]
)
def test_a_false_length_is_found_out_by_the_digest_or_given_up(server, tmp_path, added, problem):
    address, manners = server
    manners.length_added = added
    with pytest.raises(RequestError, match=problem):
        fetch(entry(address, size=None), tmp_path, QUICK)
    assert not (tmp_path / "w.pth").exists()
    assert read_lock(tmp_path) == {}


def test_without_a_length_the_size_and_digest_decide(server, tmp_path):
    address, manners = server
    manners.has_length = False
    fetch(entry(address), tmp_path, QUICK)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


def test_without_a_length_a_file_cut_short_is_resumed(server, tmp_path):
    address, manners = server
    manners.has_length = False
    manners.break_after = [300_000]
    fetch(entry(address), tmp_path, QUICK)
    assert manners.asked == [None, "bytes=300000-"]
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_wrong_bytes_are_refused_and_removed(server, tmp_path, size):
    address, manners = server
    manners.content = CONTENT[:-1] + b"x"
    with pytest.raises(RequestError, match=rf"another file: its sha256 is .* states {SHA256}"):
        fetch(entry(address, size=size), tmp_path, QUICK)
    assert left(tmp_path) == set()
    manners.content = CONTENT
    fetch(entry(address, size=size), tmp_path, QUICK)


def test_a_stale_partial_file_is_refused_once_and_then_fetched_anew(server, tmp_path):
    address, _ = server
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / PARTIAL / "w.pth").write_bytes(b"x" * 600_000)
    with pytest.raises(RequestError, match="another file"):
        fetch(entry(address), tmp_path, QUICK)
    fetch(entry(address), tmp_path, QUICK)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_file_is_dropped(server, tmp_path):
    address, _ = server
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / PARTIAL / "w.pth").write_bytes(CONTENT + b"more")
    fetch(entry(address), tmp_path, QUICK)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_is_reported_at_once(server, tmp_path, status):
    address, manners = server
    manners.statuses = [status]
    with pytest.raises(RequestError, match=f"status {status}"):
        fetch(entry(address), tmp_path, QUICK)
    assert len(manners.asked) == 1


def test_a_passing_fault_of_the_server_is_waited_out(server, tmp_path):
    address, manners = server
    manners.statuses = [503, 500]
    fetch(entry(address), tmp_path, QUICK)
    assert len(manners.asked) == 3


def test_without_network_the_error_says_what_to_put_where(tmp_path):
    with pytest.raises(RequestError) as raised:
        fetch(entry("http://127.0.0.1:9"), tmp_path / "cache", QUICK)
    message = str(raised.value)
    assert "w.pth cannot be fetched from http://127.0.0.1:9/w.pth" in message
    assert "refused" in message
    assert f"at {tmp_path / 'cache' / 'w.pth'}" in message


def test_no_stated_digest_is_recorded_at_first_and_enforced_afterwards(server, tmp_path):
    address, manners = server
    bare = entry(address, size=None, sha256=None)
    assert fetch(bare, tmp_path, QUICK) == {"w.pth": SHA256}
    (tmp_path / "w.pth").unlink()
    manners.content = b"another release under the same name"
    with pytest.raises(RequestError, match=f"the first download had {SHA256}"):
        fetch(bare, tmp_path, QUICK)
    (tmp_path / "w.pth").write_bytes(manners.content)
    with pytest.raises(RequestError, match=r"the first download had .*; remove it"):
        fetch(bare, tmp_path, QUICK)
    assert read_lock(tmp_path) == {"w.pth": SHA256}


def test_first_digits_of_a_digest_are_enforced(server, tmp_path):
    address, _ = server
    known = {"size": None, "sha256": None}
    fetch(entry(address, sha256_prefix=SHA256[:8], **known), tmp_path / "a", QUICK)
    with pytest.raises(RequestError, match=r"the publisher states 00000000\.\.\."):
        fetch(entry(address, sha256_prefix="00000000", **known), tmp_path / "b", QUICK)


def test_a_file_put_by_hand_is_checked_and_recorded(server, tmp_path):
    address, manners = server
    (tmp_path / "w.pth").write_bytes(CONTENT)
    fetch(entry(address), tmp_path, QUICK)
    assert manners.asked == []
    (tmp_path / "w.pth").write_bytes(b"x")
    with pytest.raises(RequestError, match="its sha256 is"):
        fetch(entry(address), tmp_path, QUICK)


def zipped(members: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return memory.getvalue()


def test_a_member_of_an_archive(server, tmp_path):
    address, manners = server
    manners.content = zipped({"p/other": b"o", "p/w.onnx": CONTENT})
    manners.break_after = [200_000]
    inside = entry(
        address,
        member="p/w.onnx",
        archive_size=len(manners.content),
        archive_sha256=hashlib.sha256(manners.content).hexdigest(),
    )
    assert fetch(inside, tmp_path, QUICK) == {"w.pth": SHA256}
    assert left(tmp_path) == {"w.pth", LOCK_NAME}


@pytest.mark.parametrize(
    ("content", "problem"),
    [(zipped({"p/other": b"o"}), "no item named 'p/w.onnx'"), (b"no zip", "not a zip file")],
)
def test_an_archive_without_the_member(server, tmp_path, content, problem):
    address, manners = server
    manners.content = content
    with pytest.raises(RequestError, match=f"the archive is unusable: .*{problem}"):
        fetch(entry(address, member="p/w.onnx"), tmp_path, QUICK)
    assert not (tmp_path / "w.pth").exists()


def test_what_is_missing_or_altered_is_reported_before_a_run(server, tmp_path):
    address, _ = server
    cache = tmp_path / "cache"
    digest = DigestCache(tmp_path / "digests.json").digest
    bare = entry(address, sha256=None)
    (missing,) = published_problems(bare, cache, digest)
    assert f"weights {cache / 'w.pth'} are missing" in missing
    assert "snakemake --cores 1 weights" in missing
    assert f"put {address}/w.pth" in missing
    fetch(bare, cache, QUICK)
    assert published_problems(bare, cache, digest) == []
    (cache / "w.pth").write_bytes(b"altered")
    (altered,) = published_problems(bare, cache, digest)
    assert "are altered" in altered
    assert SHA256 in altered


def test_progress_is_reported(server, tmp_path, caplog, monkeypatch):
    address, _ = server
    monkeypatch.setattr(fetching, "MEGABYTE", 1000)
    monkeypatch.setattr(fetching, "REPORT_S", 0)
    with caplog.at_level("INFO", PROGRESS):
        fetch(entry(address), tmp_path, QUICK)
    reports = [record.getMessage() for record in caplog.records if record.name == PROGRESS]
    assert reports[0] == "65 of 701 MB"
    assert reports[-1] == "700 of 701 MB"


@pytest.mark.parametrize("name", list(published_weights()))
def test_catalogue_entries_are_complete(name):
    known = published_weights()[name]
    assert known.files
    assert all(f.name == known.path or f.name.startswith(known.path + "/") for f in known.files)
    for file in known.files:
        if known.package == OWN:
            assert (weights_folder(known, Path()) / file.address).is_file(), "its card"
            continue
        assert file.address.startswith("https://")
        assert known.revision in file.address, "a pinned release, not the newest"
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
        assert file.sha256 or file.sha256_prefix
        assert (file.member is None) == (file.archive_size is None)


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_server_that_never_ends_is_cut_off_at_the_stated_size(
    server, tmp_path, monkeypatch, size
):
    address, manners = server
    manners.content, manners.has_length = CONTENT * 100, False
    if size is None:  # nobody states one
        monkeypatch.setattr("circumplex.networks.fetching.MOST_BYTES", len(CONTENT))
    with pytest.raises(RequestError, match=f"goes on after the {len(CONTENT)} bytes"):
        fetch(entry(address, size=size), tmp_path, QUICK)
    assert left(tmp_path) == set()
    assert len(manners.asked) == 1


def test_what_is_written_never_exceeds_the_stated_size(server, tmp_path, monkeypatch):
    address, manners = server
    manners.content, manners.has_length = CONTENT * 100, False
    sizes = []

    def watch(written, most, partial):
        sizes.append(partial.stat().st_size)
        check_growth(written, most, partial)

    check_growth = fetching._check_growth
    monkeypatch.setattr(fetching, "_check_growth", watch)
    with pytest.raises(RequestError):
        fetch(entry(address), tmp_path, QUICK)
    assert 0 < max(sizes) <= len(CONTENT)


@pytest.mark.parametrize("lies", [False, True])
def test_a_member_of_an_archive_is_unpacked_to_its_stated_size(server, tmp_path, lies):
    address, manners = server
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/w.onnx", bytes(50_000_000))
    content = memory.getvalue()
    if lies:  # in both headers, the size that the catalogue states
        content = content.replace(struct.pack("<I", 50_000_000), struct.pack("<I", len(CONTENT)))
    manners.content = content
    with pytest.raises(RequestError, match="cannot be fetched"):
        fetch(entry(address, member="p/w.onnx"), tmp_path, QUICK)
    assert not (tmp_path / "w.pth").exists()
    written = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert max(written, default=0) <= len(CONTENT)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_cache_on_a_file_system_without_locks(server, tmp_path, monkeypatch, number):
    address, _ = server

    def refuse(*_):
        raise OSError(number, "no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # filelock's own, where it falls back by itself
        assert fetch(entry(address), tmp_path, QUICK) == {"w.pth": SHA256}
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"w.pth", LOCK_NAME} <= names
    assert ".fetching.soft.lock" not in names


def test_a_cache_that_may_not_be_written_is_no_lack_of_locks(server, tmp_path, monkeypatch):
    address, _ = server

    def refuse(*_):
        raise PermissionError(errno.EACCES, "not yours")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(PermissionError, match="not yours"):
        fetch(entry(address), tmp_path, QUICK)

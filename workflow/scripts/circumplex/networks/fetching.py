"""Download published weights into a cache that projects share: resumed, verified, atomic.

A file appears under its name only if its size and digest are correct. Downloads go to a partial
file, which a later attempt or run continues if the server supports ``Range``. If the publisher
states no digest, the digest of the first download is recorded in the cache's lock file and
enforced from then on.
"""

import errno
import hashlib
import logging
import math
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests
from filelock import BaseFileLock, FileLock, SoftFileLock

from circumplex.config.catalogue import (
    LOCK_NAME,
    Published,
    PublishedFile,
    how_to_put,
    misfit,
    read_lock,
)
from circumplex.errors import RequestError
from circumplex.io.atomic import write_json
from circumplex.progress import report_progress

logger = logging.getLogger(__name__)
BLOCK = 1 << 16  # bytes; a block that is incomplete when the connection breaks is lost
PARTIAL = ".partial"
SPARE = 64 << 20  # bytes of disk left free
WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
MOST_BYTES = 64 << 30  # of a file whose size nobody states
MEGABYTE = 1_000_000
REPORT_S = 1.0  # between two reports of a download


@dataclass(frozen=True)
class Patience:
    """Limits on waiting for a server.

    Attributes:
        attempts: number of consecutive attempts without progress before giving up.
        pause_s: seconds to wait after a failed attempt; doubled after each further one.
        connect_s: seconds to wait until the server answers.
        read_s: seconds to wait for the next piece.
    """

    attempts: int = 5
    pause_s: float = 1.0
    connect_s: float = 15.0
    read_s: float = 60.0


class _Refused(Exception):
    """Another attempt would not help."""


def fetch(entry: Published, cache: Path, patience: Patience | None = None) -> dict[str, str]:
    """Download an entry of the catalogue into a cache; several processes may do so concurrently.

    Args:
        entry: entry of the catalogue.
        cache: folder of the cache; created if it is missing.
        patience: limits on waiting for the server; None for the defaults.

    Returns:
        SHA-256 by file name.

    Raises:
        RequestError: there is no network, the server sends another file than the catalogue
            states, or the cache holds another file; the message says what to do.
    """
    if digests := _read_digests(entry, cache):
        return digests  # writes nothing: a shared cache may be read-only
    cache.mkdir(parents=True, exist_ok=True)
    digests = {}
    with lock_cache(cache):
        for file in entry.files:
            path = cache / file.name
            lock = read_lock(cache)
            if path.is_file():
                sha256 = digest_of(path)
                if wrong := misfit(file, sha256, lock):
                    raise RequestError(f"weights {path}: {wrong}; remove it and fetch again")
                logger.info("%s is already in the cache", path)
            else:
                sha256 = _fetch_file(file, cache, lock, patience or Patience())
            if lock.get(file.name) != sha256:
                write_json(cache / LOCK_NAME, {**lock, file.name: sha256})
            digests[file.name] = sha256
    return digests


@contextmanager
def lock_cache(cache: Path) -> Iterator[None]:
    """Keep other processes from fetching into a cache.

    File systems without locks (some shares) get a file that says that it is locked; a process that
    was killed leaves it behind.
    """
    lock: BaseFileLock = FileLock(cache / ".fetching.lock")
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        path = cache / ".fetching.soft.lock"
        logger.warning(
            "%s: the file system has no locks (%s); if nothing else is fetching and this waits, "
            "remove %s",
            *(cache, error, path),
        )
        lock = SoftFileLock(path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _read_digests(entry: Published, cache: Path) -> dict[str, str] | None:
    """Digests of an entry that is complete in the cache; None if any file is missing or new."""
    lock = read_lock(cache)
    if not all(file.name in lock and (cache / file.name).is_file() for file in entry.files):
        return None
    digests = {file.name: digest_of(cache / file.name) for file in entry.files}
    return digests if digests.items() <= lock.items() else None


def digest_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_file(file: PublishedFile, cache: Path, lock: dict[str, str], patience: Patience) -> str:
    """Download one file, verify it and move it into the cache; return its digest."""
    partial = cache / PARTIAL / file.name.replace("/", "--")
    partial.parent.mkdir(exist_ok=True)
    try:
        if file.member is None:
            download(file.address, partial, file.size, patience)
        else:
            archive = partial.with_suffix(".zip")
            download(file.address, archive, file.archive_size, patience)
            _check(archive, file.archive_size, _archive_misfit(file, archive))
            _extract(archive, file.member, partial, file.size)
        sha256 = digest_of(partial)
        _check(partial, file.size, misfit(file, sha256, lock))
        path = cache / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(path)
    except _Refused as error:
        raise RequestError(
            f"weights {file.name} cannot be fetched from {file.address}: {error}. By hand: "
            f"{how_to_put(file, cache)}"
        ) from error
    if file.member is not None:
        archive.unlink()
    logger.info("fetched %s, sha256 %s", path, sha256)
    return sha256


def _archive_misfit(file: PublishedFile, archive: Path) -> str | None:
    found = digest_of(archive)
    if file.archive_sha256 in (None, found):
        return None
    return f"its sha256 is {found}, the catalogue states {file.archive_sha256}"


def _check(partial: Path, size: int | None, wrong: str | None) -> None:
    """Remove a partial file that is not the expected one, so that the next attempt restarts."""
    found = partial.stat().st_size
    if size is not None and found != size:
        wrong = f"it has {found} bytes, the catalogue states {size}"
    if wrong:
        partial.unlink()
        raise _Refused(f"the server gave another file: {wrong}; it is removed")


def _extract(archive: Path, member: str, target: Path, size: int | None) -> None:
    """Unpack a member of a zip, and no more bytes of it than its stated size."""
    try:
        with (
            zipfile.ZipFile(archive) as content,
            content.open(member) as source,
            target.open("wb") as file,
        ):
            most = _most_bytes(size, content.getinfo(member).file_size, target)
            written = 0
            while block := source.read(BLOCK):
                written += len(block)
                _check_growth(written, most, archive)
                file.write(block)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        archive.unlink()
        raise _Refused(f"the archive is unusable: {error}") from error


def _most_bytes(size: int | None, announced: int | None, place: Path) -> int:
    """Bytes that may be written: the stated size, the announced one, or what the disk holds."""
    free = shutil.disk_usage(place.parent).free - SPARE
    known = [number for number in (size, announced) if number is not None]
    return min([MOST_BYTES, free, *known])


def _check_growth(written: int, most: int, partial: Path) -> None:
    """Stop at the first block past the end, and remove what was written.

    Raises:
        _Refused: there are more bytes than there may be.
    """
    if written > most:
        partial.unlink(missing_ok=True)
        raise _Refused(f"it goes on after the {most} bytes that it may have; it is removed")


def download(address: str, partial: Path, size: int | None, patience: Patience) -> None:
    """Download an address to a partial file, continuing at its end.

    Args:
        address: http or https address.
        partial: file to write, which may already hold the beginning.
        size: total size in bytes; None if it is unknown.
        patience: limits on waiting for the server.

    Raises:
        _Refused: all attempts failed, or the server's answer is final.
    """
    failures, most = 0, _bytes_of(partial)
    while True:
        if size is not None and _bytes_of(partial) == size:
            return
        try:
            if _attempt(address, partial, size, patience):
                return
            problem = "the connection broke off"
        except requests.RequestException as error:
            problem = f"{type(error).__name__}: {_reason(error)}"
        now = _bytes_of(partial)
        failures = 0 if now > most else failures + 1
        most = max(most, now)
        logger.info("%s: %s at %d bytes", address, problem, now)
        if failures >= patience.attempts:
            raise _Refused(f"{problem}, {failures} times over, after {now} bytes")
        time.sleep(patience.pause_s * 2 ** max(0, failures - 1))


def _bytes_of(partial: Path) -> int:
    return partial.stat().st_size if partial.exists() else 0


def _reason(error: BaseException) -> str:
    """The innermost cause, since requests wraps it several times."""
    while isinstance(error.args[0] if error.args else None, BaseException):
        error = error.args[0]
    return str(getattr(error, "reason", None) or error)


def _attempt(address: str, partial: Path, size: int | None, patience: Patience) -> bool:
    """Send one request; return whether the file is complete."""
    start = _bytes_of(partial)
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    timeouts = (patience.connect_s, patience.read_s)
    with requests.get(address, headers=headers, stream=True, timeout=timeouts) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            if answer.headers.get("Content-Range") == f"bytes */{start}":
                return True
            partial.unlink()  # longer than the server's file: it belongs to another file
            return False
        if answer.status_code >= 500:
            raise requests.HTTPError(f"status {answer.status_code}")
        if answer.status_code not in (requests.codes.ok, requests.codes.partial_content):
            raise _Refused(f"the server answers with status {answer.status_code}")
        resumed = answer.status_code == requests.codes.partial_content
        if resumed and _first_byte(answer) != start:
            partial.unlink()
            raise requests.HTTPError("another range than the one asked for")
        if not resumed:
            start = 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdecimal() else size
        if size is not None and total != size:
            partial.unlink(missing_ok=True)
            raise _Refused(f"the server announces {total} bytes, the catalogue states {size}")
        if total is not None and shutil.disk_usage(partial.parent).free < total - start + SPARE:
            raise _Refused(f"too little disk space for {total - start} bytes")
        with partial.open("ab" if resumed else "wb") as file:
            written = start + _copy(answer, file, partial, start, total)
        return written == total if total is not None else True


def _first_byte(answer: requests.Response) -> int | None:
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else None


def _copy(
    answer: requests.Response, file: BinaryIO, partial: Path, start: int, total: int | None
) -> int:
    """Write the body of an answer, and report it each second; return its size in bytes.

    Raises:
        _Refused: it is longer than ``total``, or than the disk holds.
    """
    written = 0
    most = total if total is not None else start + _most_bytes(None, None, partial)
    reported = -math.inf
    for block in answer.iter_content(BLOCK):
        written += len(block)
        _check_growth(start + written, most, partial)
        file.write(block)
        if total is not None and time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            report_progress((start + written) // MEGABYTE, -(-total // MEGABYTE), "MB")
    return written

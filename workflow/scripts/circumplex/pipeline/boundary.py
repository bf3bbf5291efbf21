"""The one boundary between a sample's fault and the job's (docs/faults.md).

Whatever goes wrong while one sample is made fails that sample, and the others go on: damaged files
make libraries raise errors of any type, and a fault of this project must not cost a whole shard.
Only what would fail the next sample too ends the job: memory or disk that has run out, results that
cannot be written, a library that is missing, a device that failed.

Imported while the workflow is parsed: standard library only.
"""

import errno
import logging
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import TypeVar

from circumplex.errors import (
    JobError,
    ModalityAbsent,
    PassingError,
    RequestError,
    SampleError,
)
from circumplex.io.memory import has_run_out

logger = logging.getLogger(__name__)
SAMPLE: ContextVar[str] = ContextVar("sample", default="")
"""Name of the sample that is being made, for log lines; empty between samples."""
DEBUGGING: ContextVar[bool] = ContextVar("debugging", default=False)
"""Whether unexpected errors pass the boundary, and samples may take any time."""
OF_THE_MACHINE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOLCK),
    }
)
FACTOR = 12
"""Times the work that is expected of a sample after which it is given up."""
Item = TypeVar("Item")


@contextmanager
def named_in_log(name: str) -> Iterator[None]:
    """Begin the block's log lines with a name."""
    before = SAMPLE.get()
    SAMPLE.set(name)
    try:
        yield
    finally:
        SAMPLE.set(before)  # no token, which a generator that another thread closes cannot reset


@contextmanager
def one_sample(sample: str, results: Path, files: Sequence[str] = ()) -> Iterator[None]:
    """Turn any error of the block into the failure of a sample, unless it ends the job.

    Args:
        sample: name, for the log.
        results: folder of the run.
        files: what the sample's message names, where the error itself names no file.

    Raises:
        SampleError: any error but the following; its traceback is in the job's log.
        ModalityAbsent: as the block raised it.
        Exception: the error itself, if it ends the job; see `ends_job`.
    """
    with named_in_log(sample):
        try:
            yield
        except (SampleError, ModalityAbsent):
            raise
        except Exception as error:
            if DEBUGGING.get() or ends_job(error, results):
                raise
            logger.info("failed unexpectedly", exc_info=error)
            raise _as_failure(error, files) from error


def ends_job(error: Exception, results: Path) -> bool:
    """Whether an error would meet the other samples too.

    Args:
        error: what went wrong while one sample was made.
        results: folder of the run: where nothing can be written to it, no sample is at fault.
    """
    if isinstance(error, (JobError, RequestError, ImportError)):
        return True
    if isinstance(error, MemoryError):
        return has_run_out()
    if isinstance(error, OSError):
        return error.errno in OF_THE_MACHINE or not _can_write(results)
    return _is_of_device(error)


def _can_write(results: Path) -> bool:
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results) as file:
            file.write(b"x")
    except OSError:
        return False
    return True


def _is_of_device(error: Exception) -> bool:
    """Whether PyTorch says that memory or a GPU failed; most of it is a plain `RuntimeError`."""
    text = str(error)
    return isinstance(error, RuntimeError) and any(
        word in text for word in ("CUDA", "cuDNN", "out of memory", "DefaultCPUAllocator")
    )


def _as_failure(error: Exception, files: Sequence[str]) -> SampleError:
    named = ", ".join(files)
    if isinstance(error, OSError):
        named = str(error.filename) if error.filename else named
        reason = error.strerror or str(error)
        return PassingError(
            f"{named} cannot be read: {reason}; the next run tries again"
            if named
            else f"its files cannot be read: {reason}; the next run tries again"
        )
    kind = type(error).__name__
    return SampleError(
        f"{named + ': ' if named else ''}unexpected error {kind}: {error}; the traceback is in the "
        "job's log. Convert or copy the file again, or name the sample under exclude"
    )


def whole_job(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; an error in making them ends the job, although a sample's block reads them.

    Raises:
        JobError: anything but `SampleError` and `ModalityAbsent` went wrong.
    """
    try:
        yield from items
    except (SampleError, ModalityAbsent):
        raise
    except Exception as error:
        raise JobError(f"{type(error).__name__}: {error}") from error


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Fail the sample of the block when it has taken so many seconds; with none, never.

    The limit interrupts Python and waiting, but no library in the middle of a call: for that, the
    job has a limit of its own (`circumplex.pipeline.jobs.logs`).

    Raises:
        PassingError: the time is up.
    """
    on_main_thread = threading.current_thread() is threading.main_thread()
    if seconds is None or DEBUGGING.get() or not on_main_thread:
        yield  # signals reach the main thread alone
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise PassingError(
            f"it took more than {seconds:.0f} s, the limit for files of this size: look at them, "
            "or name the sample under exclude; the next run tries again"
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def outside_time_limit() -> Iterator[None]:
    """Stop the clock of `time_limit`: for a wait that is no fault of the sample's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)

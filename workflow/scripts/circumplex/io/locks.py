"""Locks between processes that write into the same folder.

Standard library only.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def hold_lock(path: Path) -> Iterator[bool]:
    """Hold a lock file, and remove it at the end; yields whether another process held it before.

    The lock goes with the process however that ends. On a file system without locks nothing is
    held.
    """
    descriptor, waited = _lock(path)
    try:
        yield waited
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)


def _lock(path: Path) -> tuple[int | None, bool]:
    waited = False
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                logger.info("waiting for another process, which holds %s", path)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            logger.info("%s: no locks on this file system (%s)", path, error.strerror)
            return None, waited
        if os.fstat(descriptor).st_nlink:
            return descriptor, waited
        os.close(descriptor)  # the process before has removed the file: lock the present one

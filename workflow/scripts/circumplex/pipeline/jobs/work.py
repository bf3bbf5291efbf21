"""Trainings, which keep their state in a folder beside the file that they will write."""

import logging
from collections.abc import Callable
from pathlib import Path

from circumplex.io.digests import fingerprint
from circumplex.io.locks import hold_lock

logger = logging.getLogger(__name__)


def train_once(output: Path, train: Callable[[Path], None]) -> None:
    """Train in the work folder of a stored file, one process at a time.

    A job may outlive its Snakemake; the one that resumes the run then trains the same. Two must not
    write and remove the state of one training: the second waits, takes the file that the first
    has finished, or resumes where it was killed.

    Args:
        output: file in the store that the training writes.
        train: trains, given the work folder, and removes that at its end.
    """
    before = fingerprint(output) if output.is_file() else None
    with hold_lock(output.with_suffix(".lock")) as waited:
        if waited and output.is_file() and fingerprint(output) != before:
            logger.info("another process has finished %s meanwhile", output.name)
        else:
            train(output.with_suffix(".work"))

"""One GPU a job: jobs that run beside each other on a machine share out its devices."""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
GPUS = Path("/proc/driver/nvidia/gpus")
POLL_S = 1.0


def device_of(resources: Any) -> str:
    """PyTorch's name of the device of a job with these Snakemake resources.

    Raises:
        RuntimeError: the job was given a GPU, but the machine has none.
    """
    return take_device(visible_gpus(os.environ)) if resources.get("gpu", 0) else "cpu"


def visible_gpus(environment: Mapping[str, str], gpus: Path = GPUS) -> list[str]:
    """Names of the GPUs that the process may use: those that a cluster gave it, or all there are.

    Asked of the driver's files and not of PyTorch, which light rules do not have.
    """
    given = environment.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    return [str(number) for number in range(len(list(gpus.iterdir())))] if gpus.is_dir() else []


def take_device(names: Sequence[str]) -> str:
    """Wait for a GPU that no other job of this user holds, and hold it until the process ends.

    Snakemake counts GPUs (``--resources gpu=2``) but tells no job which one is its own. A file
    lock for each device does, and goes with the process however that ends.

    Args:
        names: of the visible devices, in PyTorch's order.

    Returns:
        ``cuda:0``, ``cuda:1``, ...: the position in ``names``.

    Raises:
        RuntimeError: there is no device.
    """
    if not names:
        raise RuntimeError(
            "the job was given a GPU, but this machine shows none: run it where there is one, or "
            "set compute.gpu to 0 to compute on the CPU"
        )
    folder = Path(tempfile.gettempdir()) / f"circumplex-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    logger.info("waiting for one of the GPUs %s", ", ".join(names))
    while True:
        for index, name in enumerate(names):
            if _lock(folder / name.replace("/", "_")):
                logger.info("holding GPU %s", name)
                return f"cuda:{index}"
        time.sleep(POLL_S)


def _lock(path: Path) -> bool:
    """Lock a file for the life of the process; its descriptor is left open on purpose."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError as error:
        os.close(descriptor)
        raise RuntimeError(
            f"{path.parent} lies on a file system without locks ({error.strerror}), by which jobs "
            "share out GPUs: set TMPDIR to a folder on a local disk"
        ) from error
    return True

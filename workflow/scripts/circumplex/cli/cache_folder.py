"""The folder in which Snakemake keeps its cache, without which it ends in a traceback."""

import os
from pathlib import Path

from circumplex.errors import RequestError


def check_cache_folder() -> None:
    """Check that the folder for caches can be written.

    Raises:
        RequestError: it cannot, such as where HOME names a folder that is not there.
    """
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        folder = Path("~/.cache")
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not (folder.is_absolute() and existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        raise RequestError(
            f"Snakemake keeps a cache in {folder}, which cannot be written: set HOME, or "
            "XDG_CACHE_HOME, to a folder of your own"
        )

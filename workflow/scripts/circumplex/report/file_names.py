"""Names of samples as names of files that people copy to other machines."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]|^[-=+@ ]|[. ]$')
"""What Windows does not allow, and what a shell or a spreadsheet program might take otherwise."""
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, with any suffix."""


def file_names(samples: Iterable[str]) -> dict[str, str]:
    """Names of files, without suffix, by sample; no two are the same on any file system.

    A name that is safe stays as it is. In another one each character that is not becomes ``_``, and
    a digest of the sample's name follows; so it does where names differ in case alone.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for sample in samples:
        name = FORBIDDEN.sub("_", sample)
        if DEVICES.fullmatch(name):
            name = f"_{name}"
        if name != sample or _folded(name) in taken:
            name = f"{name}-{hashlib.sha256(sample.encode()).hexdigest()[:8]}"
        taken.add(_folded(name))
        names[sample] = name
    return names


def _folded(name: str) -> str:
    """Names that some file systems take for the same have the same folded form."""
    return unicodedata.normalize("NFC", name).casefold()

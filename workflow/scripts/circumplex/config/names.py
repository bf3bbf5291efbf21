"""Names that look alike though they differ, so that a file or a row can be taken for another's.

Standard library only.
"""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise

_UNSEEN = {"\u034f", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u3164", "\uffa0"}
"""Fillers and joiners of letters that show nothing, beside the format characters (zero width,
direction of writing) and the selectors of variants."""


def look_alikes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that a reader cannot tell from each other, in their order."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        alike.setdefault(appearance(name), []).append(name)
    return [pair for group in alike.values() for pair in pairwise(group)]


def appearance(name: str) -> str:
    """What is seen of a name: composed, of one width, and without what takes no room."""
    composed = unicodedata.normalize("NFKC", name)
    seen = "".join(character for character in composed if not _is_unseen(character))
    return " ".join(unicodedata.normalize("NFKC", seen).split())


def spell_out(name: str) -> str:
    """A name with every character that is not ASCII as its number."""
    return ascii(name)


def _is_unseen(character: str) -> bool:
    selects = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return unicodedata.category(character) == "Cf" or selects or character in _UNSEEN

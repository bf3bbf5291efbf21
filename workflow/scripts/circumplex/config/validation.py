"""What to write instead of a name that is not known. Standard library only."""

import difflib
from collections.abc import Sequence

from circumplex.config.names import appearance, spell_out


def suggestion(word: str, known: Sequence[str]) -> str:
    """``; did you mean ...?`` or, with nothing near, the list of what is known."""
    alike = [name for name in known if appearance(name) == appearance(word)]
    if alike:
        return f"; {spell_out(alike[0])} looks the same as {spell_out(word)} but is another name"
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"

"""The two targets that are predicted.

Imported while the workflow is parsed: standard library only.
"""

from enum import StrEnum


class Target(StrEnum):
    """What is predicted, in the order of the columns of every (frames, 2) array."""

    VALENCE = "valence"
    AROUSAL = "arousal"


TARGETS = tuple(target.value for target in Target)
"""Names of the targets, as plain text."""
HEADER = ",".join(TARGETS)
"""First line of the texts of Aff-Wild2's annotations and of the 3rd challenge's submissions."""

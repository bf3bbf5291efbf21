"""How many layers the blocks of the DenseNet may have: its feature has 342 values per face.

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Sequence

FEATURES = 342
STEM, GROWTH = 24, 12  # channels
BLOCKS = (16, 16, 16)  # the paper's 100 layers: 24 -> 216 / 2 -> 300 / 2 -> 342 channels


def check_blocks(blocks: Sequence[int]) -> None:
    """Refuse blocks that do not end in `FEATURES` channels.

    Args:
        blocks: layers of each of the three, between which channels are halved.

    Raises:
        ValueError: says how many channels they end in.
    """
    first, second, third = blocks
    channels = ((STEM + GROWTH * first) // 2 + GROWTH * second) // 2 + GROWTH * third
    if channels != FEATURES:
        raise ValueError(
            f"{list(blocks)} end in {channels} values per face, not {FEATURES}: choose [a, b, c] "
            "with a + 2b + 4c = 112"
        )

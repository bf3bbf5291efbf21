"""How many layers the blocks of the DenseNet may have: its feature has 342 values a face.

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Sequence

from circumplex.errors import RequestError

FEATURES = 342
STEM, GROWTH = 24, 12  # channels
BLOCKS = (16, 16, 16)  # the paper's 100 layers: 24 -> 216 / 2 -> 300 / 2 -> 342 channels


def check_blocks(blocks: Sequence[int], where: str) -> None:
    """Refuse blocks that do not end in `FEATURES` channels.

    Args:
        blocks: layers of each of the three, between which channels are halved.
        where: the config names them, for the message.

    Raises:
        RequestError: says how many channels they end in.
    """
    first, second, third = blocks
    channels = ((STEM + GROWTH * first) // 2 + GROWTH * second) // 2 + GROWTH * third
    if channels != FEATURES:
        raise RequestError(
            f"config: {where}.blocks: {list(blocks)} end in {channels} values a face, not "
            f"{FEATURES}: choose [a, b, c] with a + 2b + 4c = 112"
        )

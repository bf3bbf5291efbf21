"""The arithmetic of a network, as the config names it.

Imported while the workflow is parsed: standard library only.
"""

from enum import StrEnum


class Precision(StrEnum):
    """Arithmetic of a network's products; it changes the numbers, so it is a tracked option.

    Weights, optimiser, losses, norms and sums of the products' results stay float32 in both.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

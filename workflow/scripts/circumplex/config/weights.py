"""How the config names weights: a file or folder, or by one of these beginnings.

Apart from the rest, since every stage's code depends on it. Standard library only.
"""

RANDOM = "random:"
PUBLISHED = "published:"
TRAINED = "trained:"
WEIGHT_KEYS = ("weights", "pca")
"""Options of any extractor that name weights."""
LARGEST_SEED = 2**32 - 1


def check_choice(choice: str) -> str:
    """Return a choice of weights that can be one.

    Raises:
        ValueError: random weights without a seed from 0 to `LARGEST_SEED`.
    """
    if choice.startswith(RANDOM):
        seed = choice.removeprefix(RANDOM)
        digits = len(str(LARGEST_SEED))
        is_number = seed.isascii() and seed.isdecimal() and len(seed) <= digits
        if not (is_number and int(seed) <= LARGEST_SEED):
            raise ValueError(
                f"is {choice[:80]!r}; write {RANDOM}<seed> with an integer from 0 to "
                f"{LARGEST_SEED}, or a file or folder"
            )
    return choice

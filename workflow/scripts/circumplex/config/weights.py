"""How the config names weights: a file or folder, or by one of these beginnings.

Apart from the rest, since every stage's code depends on it. Standard library only.
"""

RANDOM = "random:"
PUBLISHED = "published:"
TRAINED = "trained:"
WEIGHT_KEYS = ("weights", "pca")
"""Options of an extractor that name weights."""

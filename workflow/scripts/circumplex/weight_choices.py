"""How the config names weights: ``random:<seed>``, ``published:<name>``, or a file or folder.

Apart from the rest, since every stage's code depends on it. Standard library only.
"""

RANDOM = "random:"
PUBLISHED = "published:"
WEIGHT_KEYS = ("weights", "pca")
"""Options of an extractor that name weights."""

"""What the workflow must know of each extractor, and its options: one module per feature.

They are found by their names (see `circumplex.config.features`) and import no numeric library:
the workflow reads them when it is parsed.
"""

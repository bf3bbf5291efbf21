"""The extractors, one module per feature."""

"""Readers of the data sets of still faces, one module per layout."""

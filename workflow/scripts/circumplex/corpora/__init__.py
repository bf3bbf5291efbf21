"""Sample sheets from the folders of corpora."""

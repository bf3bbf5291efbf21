"""Sample sheets of corpora in several layouts."""

"""Training of a model on packed features."""

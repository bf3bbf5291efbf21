"""Experiments on the demo corpus and on finished runs of it."""

"""Faster layers for training on a CPU."""

"""Annotations of valence and arousal, read and put on the frames of a sample."""

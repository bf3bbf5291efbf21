"""Annotations of valence and arousal, one row per video frame."""

"""Decoding of video and sound."""

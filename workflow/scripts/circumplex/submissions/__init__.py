"""Submission files of the challenges."""

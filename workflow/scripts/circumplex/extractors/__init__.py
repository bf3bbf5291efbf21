"""Feature extractors, one a file, so that a change of one makes only its own features stale."""

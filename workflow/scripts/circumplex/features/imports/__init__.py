"""Features that the user has on disk."""

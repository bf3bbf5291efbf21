"""Pages that play a video beside its predictions."""

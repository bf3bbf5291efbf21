"""Training of image networks on still faces."""

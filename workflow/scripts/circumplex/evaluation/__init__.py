"""CCC of predictions, and the tables made of it."""

"""The demo: a synthetic corpus, and experiments on it."""

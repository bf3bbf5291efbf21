"""Features per frame: extraction, import, and packs for training."""

"""The demo corpus: procedural talking heads with sound, generated on demand, never shipped."""

"""The demo corpus: procedural talking heads with sound, made on demand and never shipped."""

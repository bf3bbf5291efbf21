"""The temporal encoders, one module each."""

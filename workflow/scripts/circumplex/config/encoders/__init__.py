"""The options of the temporal encoders, one module per encoder."""

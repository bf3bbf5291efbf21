"""The model: fusion, temporal encoders, regressor and losses."""

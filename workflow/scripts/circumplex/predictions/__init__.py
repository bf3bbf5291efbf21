"""Predictions: tables, smoothing and ensembles."""

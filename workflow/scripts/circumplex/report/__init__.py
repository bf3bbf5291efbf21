"""The HTML report and the feature cards."""

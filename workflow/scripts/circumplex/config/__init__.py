"""What a user may ask for: options, sample sheet, names of features and weights."""

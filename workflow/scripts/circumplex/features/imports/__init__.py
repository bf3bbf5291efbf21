"""Import of features that the user has computed."""

"""Functions that build the requests of jobs, by subject."""

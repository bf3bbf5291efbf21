"""Network architectures, one a file: no weights, no files, no pre-processing of images."""

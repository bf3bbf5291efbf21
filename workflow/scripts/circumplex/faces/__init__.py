"""Faces: detection, alignment, choice of the subject, and filling of gaps."""

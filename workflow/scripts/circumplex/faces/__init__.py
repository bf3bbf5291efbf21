"""Faces: detection, alignment, the choice of the subject, and filling of gaps."""

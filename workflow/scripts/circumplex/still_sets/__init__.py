"""Readers of still-image sets, a module a layout; none of the sets can be had without a licence."""

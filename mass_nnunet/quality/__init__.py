"""Estimated quality of segmentations whose truth is not known."""

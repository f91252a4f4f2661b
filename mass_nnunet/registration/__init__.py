"""Displacement fields, their refinement for a pair of scans, and the atlas bank."""

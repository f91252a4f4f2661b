"""Scores of predictions against the truth, and their statistics."""

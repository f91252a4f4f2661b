"""Metrics of predictions against the truth, and statistics of the scores."""

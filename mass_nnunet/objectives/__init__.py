"""Objectives: the weighted sums of losses that the methods minimize."""

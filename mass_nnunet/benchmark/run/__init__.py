"""Runs the cells of a grid: trains, predicts, scores."""

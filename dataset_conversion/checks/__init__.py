"""Checks of raw datasets: what is wrong in them, with pictures."""

"""Checks of raw datasets: errors, warnings, a table and a picture."""

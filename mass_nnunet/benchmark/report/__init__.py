"""The report of a grid: tables, figures and a page."""

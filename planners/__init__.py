"""Shared plans for the datasets of a group, and the preprocessing of their scans."""

"""Processes: environment variables, worker processes, child processes, locks."""

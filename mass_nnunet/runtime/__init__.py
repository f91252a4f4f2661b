"""Matters of processes: the environment, worker processes, child processes, locks."""

"""The demo: from synthetic raw scans to a report, with the commands that a user would type."""

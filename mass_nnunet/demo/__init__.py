"""The whole path on a synthetic phantom, from raw scans to a report, with the commands that a user would type."""

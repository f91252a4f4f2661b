"""Synthetic CT and MRI scans of abdomens, in the layouts of BTCV and CHAOS."""

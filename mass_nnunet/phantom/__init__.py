"""Synthetic abdomens of patients, CT and MRI, in the layouts of BTCV and CHAOS."""

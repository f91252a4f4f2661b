"""The labels that every abdominal dataset of a group shares, and where the organs lie in the body."""

BACKGROUND = "background"
LABELS = {BACKGROUND: 0, "spleen": 1, "right_kidney": 2, "left_kidney": 3, "liver": 4}
ORGANS = tuple(name for name in LABELS if name != BACKGROUND)

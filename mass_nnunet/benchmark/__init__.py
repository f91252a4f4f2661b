"""Comparison of methods on the same splits: one or more workers train, predict and score the cells of a grid."""

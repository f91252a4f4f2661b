"""Every method on the same splits: train, predict and score the cells of a grid, by one worker or by many."""

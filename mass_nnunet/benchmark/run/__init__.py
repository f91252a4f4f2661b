"""The run of a grid: training, prediction and scores of its cells."""

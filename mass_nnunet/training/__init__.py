"""Parts of a training besides network and objective: loaders, augmentation, the mean teacher, pseudo-labels."""
